"""Docids from the hierarchy of clusters that a document's embedding falls into; knows vectors, no encoder."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval

from docid.errors import InputError
from docid.quantisers.cluster_tree import ClusterTree, fault_in, grow, route
from docid.quantisers.kmeans import check_vectors
from docid.ragged import IntArray, Ragged
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.strategies.codes import docids_of_codes, taken_codes
from docid.table import DocidTable

__all__ = ["Semantic"]


@dataclass
class Semantic(Strategy):
    """Hierarchical k-means docids (DSI, Tay et al. 2022, section 3.2, algorithm 1).

    A group of more than `leaf_size` documents is split into at most `branching` clusters, and each document
    gets its cluster's number as its next code; a group of at most `leaf_size` is not split, and its documents
    get ordinals as their last code. Codes of level l are the new tokens `<cl_0>`, `<cl_1>`, ... (levels count
    from 1), or `<c_0>`, ... in all levels with `per_level=False`. The string is the codes joined by `-`.

    New documents go down the same hierarchy and get the next ordinals of their leaf, beyond `leaf_size` if need be.
    """

    name: ClassVar[str] = "semantic"
    reads: ClassVar[tuple[str, ...]] = ("embeddings",)
    branching: Annotated[int, Interval(ge=2, le=1 << 16)] = 16
    leaf_size: Annotated[int, Interval(ge=1, le=1 << 20)] = 16
    seed: Annotated[int, Interval(ge=0, lt=1 << 32)] = 0
    per_level: bool = True

    def __post_init__(self) -> None:
        if self.branching < 2 or self.leaf_size < 1:
            raise InputError(
                f"branching is {self.branching} and leaf_size {self.leaf_size}; expected at least 2 clusters a group "
                "and 1 document a leaf."
            )

    def fit(self, fields: DocumentFields) -> None:
        vectors = self.need(fields, "embeddings")
        check_vectors(vectors)
        self.state = grow(vectors, self.branching, self.leaf_size, self.seed)._asdict()

    def fault(self) -> str | None:
        state = self.state or {}
        if state.keys() != set(ClusterTree._fields):
            return "its hierarchy is missing, or it has learned more than its kind learns"
        return fault_in(ClusterTree(**state), self.branching)

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        vectors, tree = self.need(fields, "embeddings"), ClusterTree(**(self.state or {}))
        check_vectors(vectors, dimensions=tree.centroids.shape[1])
        codes: list[IntArray] = [np.empty(0, np.int32)] * len(vectors)
        ordinals = _next_ordinals(taken)
        for path, rows in route(tree, vectors):
            for ordinal, row in enumerate(rows.tolist(), start=ordinals[path]):
                codes[row] = np.array([*path, ordinal], np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(code) for code in codes], dtype=np.int64)]).astype(
            np.int64
        )
        flat = np.concatenate(codes) if codes else np.empty(0, np.int32)
        return docids_of_codes(Ragged(flat, offsets), taken, per_level=self.per_level)


def _next_ordinals(taken: DocidTable) -> defaultdict[tuple[int, ...], int]:
    """The first free ordinal of each leaf."""
    ordinals: defaultdict[tuple[int, ...], int] = defaultdict(int)
    codes = taken_codes(taken)
    flat, bounds = codes.values.tolist(), codes.offsets.tolist()
    for begin, end in pairwise(bounds):
        path = tuple(flat[begin : end - 1])
        ordinals[path] = max(ordinals[path], flat[end - 1] + 1)
    return ordinals
