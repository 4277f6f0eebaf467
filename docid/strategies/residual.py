"""Docids from a quantiser's codes of a document's embedding; knows vectors, no encoder.

A code of a level means the same under every prefix, which hierarchical k-means (`semantic`) does not give: token
vectors can be shared, and a decoder can start as a linear index over them. `fit` and the demo take it for that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from annotated_types import Interval

from docid.errors import InputError
from docid.quantisers.joint import JointQuantiser
from docid.quantisers.kmeans import check_vectors
from docid.quantisers.quantise import ProductQuantiser, Quantiser, ResidualQuantiser, next_best, with_ordinals
from docid.ragged import IntArray, are, as_ragged
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.strategies.codes import code_tokens, docids_of_codes, taken_codes
from docid.table import DocidTable

__all__ = ["Product", "Quantised", "Residual"]

# Each is a centroid and a row of the model's table of tokens.
MOST_TOKENS = 1 << 20
Collisions = Literal["share", "next", "ordinal"]
# How much the codes keep of the vectors that they were learned from, in `Residual.state`.
KEPT = "kept"
# Of a `JointQuantiser`, there too.
METRIC, VECTORS = "metric", "vectors"


@dataclass
class Quantised(Strategy):
    """Docids of `levels` codes, each one of `codes`, as new tokens `<c1_0>`, ...; strings such as `3-17-0`.

    Documents whose codes are all equal share a docid (`collisions="share"`); or all but the first get the next-best
    codes that are free, the last level's first (`"next"`); or every docid ends with an ordinal, one more level that
    tells documents of equal codes apart and does not wrap (`"ordinal"`).
    """

    reads: ClassVar[tuple[str, ...]] = ("embeddings",)
    levels: Annotated[int, Interval(ge=1, le=256)] = 8
    codes: Annotated[int, Interval(ge=2, le=1 << 16)] = 256
    collisions: Collisions = "share"
    seed: Annotated[int, Interval(ge=0, lt=1 << 32)] = 0

    def __post_init__(self) -> None:
        if self.levels < 1 or self.codes < 2:
            raise InputError(
                f"levels is {self.levels} and codes {self.codes}; expected at least 1 level and 2 codes."
            )
        if self.levels * self.codes > MOST_TOKENS:
            raise InputError(
                f"levels is {self.levels} and codes {self.codes}: {self.levels * self.codes:,} new tokens; expected at "
                f"most {MOST_TOKENS:,}."
            )
        if self.collisions not in get_args(Collisions):
            raise InputError(
                f"collisions is {self.collisions!r}; expected {', '.join(get_args(Collisions))}."
            )

    def fit(self, fields: DocumentFields) -> None:
        vectors = self.need(fields, "embeddings")
        check_vectors(vectors)
        if len(vectors) == 0:
            raise InputError(
                f"docid strategy {self.name!r} learns its codes from the documents; there are none."
            )
        quantiser = self.train(vectors)
        self.state = {field.name: getattr(quantiser, field.name) for field in dataclass_fields(quantiser)}

    def fault(self) -> str | None:
        state = self.state or {}
        if state.keys() != {"codebooks", "biases"}:
            return "its codebooks are missing, or it has learned more than its kind learns"
        return self.fault_in_codebooks()

    def fault_in_codebooks(self) -> str | None:
        """Whether codebooks and biases are finite, and as many as the options say."""
        codebooks, biases = (self.state or {})["codebooks"], (self.state or {})["biases"]
        if not are(codebooks, np.float32, 3) or not are(biases, np.float32, 2):
            return "its codebooks are not finite numbers"
        if codebooks.shape[:2] != (self.levels, self.codes) or biases.shape != codebooks.shape[:2]:
            return f"its codebooks are not of {self.levels} levels and {self.codes} codes"
        if not self.has_biases() and bool(biases.any()):
            return "codes that are not balanced have a bias"
        return None if codebooks.shape[2] else "its codebooks have no dimensions"

    def fault_in_table(self, table: DocidTable) -> str | None:
        sizes, per_level = self.token_counts()
        tokens = code_tokens(sizes, per_level=per_level)
        if table.new_tokens[: len(tokens)] != tokens:
            return f"its tokens are not those of {self.levels} levels of {self.codes} codes"
        levels = self.levels + (self.collisions == "ordinal")
        return None if (table.sequences.lengths == levels).all() else f"a docid has not {levels} codes"

    def has_biases(self) -> bool:
        """Whether codes are balanced by biases."""
        return False

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        if fields.num_documents == 0 and self.state is None:
            return DocidTable.build([], [])
        return super().assign(fields, tokenize)

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        vectors = self.inputs(self.need(fields, "embeddings"))
        if fields.codes is not None:
            codes = fields.codes
        else:
            # A table that has lost all its documents has its tokens yet.
            codes = self.encode_later(vectors) if taken.new_tokens else self.encode(vectors)
        codes = self.without_collisions(vectors, codes, taken)
        sizes, per_level = self.token_counts()
        return docids_of_codes(as_ragged(codes), taken, per_level=per_level, sizes=sizes)

    def encode(self, vectors: npt.NDArray[Any]) -> IntArray:
        """The codes of `inputs` before the rule for equal ones: int32 [n, levels]."""
        return self.quantiser().encode(vectors)

    def encode_later(self, vectors: npt.NDArray[Any]) -> IntArray:
        """The codes of documents that come after those that were learned from: int32 [n, levels]."""
        return self.quantiser().encode(vectors)

    def inputs(self, vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What is quantised: the embeddings themselves."""
        check_vectors(vectors, dimensions=self.quantiser().dimensions)
        return vectors

    def without_collisions(self, vectors: npt.NDArray[Any], codes: IntArray, taken: DocidTable) -> IntArray:
        """The codes after the rule for equal ones; codes of `taken` come first."""
        if self.collisions == "share":
            return codes
        given = taken_codes(taken).values
        before = given.reshape(taken.num_documents, len(given) // max(taken.num_documents, 1))
        if self.collisions == "ordinal":
            return with_ordinals(codes, before)
        return next_best(self.quantiser(), vectors, codes, before)

    def token_counts(self) -> tuple[Sequence[int], bool]:
        """Tokens of each level, and whether levels have tokens of their own."""
        return [self.codes] * self.levels, True

    @abstractmethod
    def train(self, vectors: npt.NDArray[Any]) -> Quantiser:
        """Codebooks for these vectors."""

    @abstractmethod
    def quantiser(self) -> Quantiser:
        """The fitted quantiser."""


@dataclass
class Residual(Quantised):
    """Residual-quantisation docids: each level clusters what the levels before left over.

    Chen et al., "Approximate Nearest Neighbor Search by Residual Vector Quantization", Sensors 2010, section 3;
    as docids in TIGER (Rajput et al., NeurIPS 2023) and RIPOR (Zeng et al., WWW 2024, section 3.1). A code means
    the same direction under every prefix, unlike a cluster's number in a hierarchy, so what a model learns of it
    holds for all documents that have it.

    Codes are chosen by what errors do to scores, and what they stand for is learned for all levels at once
    (`JointQuantiser`).

    With `balanced` a bias for each code evens out how many documents have it. With `shared` all levels have one
    codebook and one set of tokens `<c_0>`, ..., and codes stand for its centroids.
    """

    name: ClassVar[str] = "residual"
    balanced: bool = False
    shared: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.balanced and self.shared:
            raise InputError(
                "balanced and shared are both true; codes are balanced level by level: choose one."
            )

    def train(self, vectors: npt.NDArray[Any]) -> ResidualQuantiser:
        if self.shared:
            return ResidualQuantiser.fit_shared(vectors, self.levels, self.codes, self.seed)
        return JointQuantiser.learn(vectors, self.levels, self.codes, self.seed, balanced=self.balanced)

    def fit(self, fields: DocumentFields) -> None:
        super().fit(fields)
        kept = self.quantiser().kept(self.need(fields, "embeddings"))
        self.state = {**(self.state or {}), KEPT: np.array([kept], np.float32)}

    def encode_later(self, vectors: npt.NDArray[Any]) -> IntArray:
        kept = (self.state or {}).get(KEPT)
        if kept is None:  # fitted before this was known
            return super().encode_later(vectors)
        return self.quantiser().encode_later(vectors, float(kept[0]))

    def fault(self) -> str | None:
        state = self.state or {}
        joint = {METRIC, VECTORS} if state.keys() & {METRIC, VECTORS} else set()
        if state.keys() - {KEPT} != {"codebooks", "biases", *joint}:
            return "its codebooks are missing, or it has learned more than its kind learns"
        kept = state.get(KEPT)
        if kept is not None and not (are(kept, np.float32, 1) and kept.shape == (1,)):
            return "what its codes keep is no number"
        return self.fault_in_codebooks() or (self._fault_in_vectors() if joint else None)

    def _fault_in_vectors(self) -> str | None:
        """Whether what codes stand for, and what they are chosen by, are finite numbers of the codebooks' shapes."""
        state = self.state or {}
        shape = state["codebooks"].shape
        if not are(state[VECTORS], np.float32, 3) or state[VECTORS].shape != shape:
            return "what its codes stand for is not one finite vector a code"
        if not are(state[METRIC], np.float32, 2) or state[METRIC].shape != (shape[2], shape[2]):
            return "its metric is not a square of finite numbers, as wide as its codebooks"
        return None

    def quantiser(self) -> ResidualQuantiser:
        learned = {name: array for name, array in (self.state or {}).items() if name != KEPT}
        # Shared codes, and folders of before, have codebooks alone.
        return JointQuantiser(**learned) if METRIC in learned else ResidualQuantiser(**learned)

    def fault_in_codebooks(self) -> str | None:
        books = (self.state or {})["codebooks"]
        fault = super().fault_in_codebooks()
        if fault is None and self.shared and bool((books != books[:1]).any()):
            return "its levels do not share one codebook"
        return fault

    def has_biases(self) -> bool:
        return self.balanced

    def token_counts(self) -> tuple[Sequence[int], bool]:
        return ([self.codes], False) if self.shared else super().token_counts()


@dataclass
class Product(Quantised):
    """Product-quantisation docids: each level clusters its own stretch of the dimensions.

    Jégou et al., "Product quantization for nearest neighbor search", PAMI 2011; as docids in Ultron (Zhou et al.
    2022). Codes of different levels say nothing of each other: no hierarchy.
    """

    name: ClassVar[str] = "product"

    def train(self, vectors: npt.NDArray[Any]) -> ProductQuantiser:
        return ProductQuantiser.fit(vectors, self.levels, self.codes, self.seed)

    def quantiser(self) -> ProductQuantiser:
        state = self.state or {}
        return ProductQuantiser(state["codebooks"], state["biases"])
