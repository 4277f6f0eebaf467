"""Baselines as a batch run searches them: passages read and indexed once, then texts asked, chunk by chunk.

Knows BM25, a sentence encoder and their sums; knows nothing of chunks, nor of who else searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import xxhash

from genret.corpus import PassageStore, Query, Run
from genret.corpus.formats.found import FoundPassage
from genret.evaluation import BM25, BM25_PLAIN, BM25_TUNED, FullTexts, hybrid_run, nearest_run
from genret.evaluation.baselines import HYBRID_WEIGHT
from genret.retrieval.fusion import FUSED_DEPTH, fuse_runs
from genret.vectors.embedding import Encoder, embed_texts

__all__ = ["BaselineOptions", "BaselineSearch", "LoadBaseline"]


@dataclass(frozen=True)
class BaselineOptions:
    """Which baseline, and how it searches.

    Attributes:
        name: `rrf`: both, by reciprocal ranks.
        tuned: BM25 as `BM25_TUNED`.
        weight: of a BM25 score in a hybrid.
        max_length: tokens of a text that is encoded.
    """

    name: Literal["bm25", "dense", "hybrid", "rrf"]
    tuned: bool = False
    weight: float = HYBRID_WEIGHT
    max_length: int = 256

    @property
    def tag(self) -> str:
        """Of its runs."""
        return f"{self.name}-tuned" if self.tuned else self.name


@dataclass(frozen=True)
class LoadBaseline:
    """Gives a baseline; what workers are sent.

    Attributes:
        passages: gives the corpus.
        encoder: gives the encoder; not asked for BM25.
        cache: folder of vectors.
    """

    options: BaselineOptions
    passages: Callable[[], PassageStore]
    encoder: Callable[[], Encoder]
    cache: Path

    def __call__(self) -> BaselineSearch:
        return BaselineSearch(self)

    @property
    def fingerprint(self) -> str:
        """Changes whenever its runs may."""
        encoder = "" if self.options.name == "bm25" else self.encoder().fingerprint
        found = f"{asdict(self.options)} {self.passages().fingerprint} {encoder}"
        return xxhash.xxh3_128_hexdigest(found.encode())


class BaselineSearch:
    """A baseline over passages in memory; searches exactly."""

    def __init__(self, given: LoadBaseline) -> None:
        self.options, self._given = given.options, given
        self._passages = given.passages()
        # Before the first question, as a model is loaded.
        _ = (
            self.options.name in ("bm25", "hybrid", "rrf") and self._bm25,
            self.options.name in ("dense", "hybrid", "rrf") and self._vectors,
        )

    def iter_search(self, queries: Sequence[str], k: int, **_: object) -> Iterator[list[FoundPassage]]:
        """The `k` best passages of each text; as `Retriever.iter_search`, whose other arguments are a model's."""
        asked = [Query(str(number), text) for number, text in enumerate(queries)]
        run = self._run(asked, k)
        for query in asked:
            yield [FoundPassage(passage_id, score) for passage_id, score in run.get(query.query_id, [])]

    def _run(self, asked: Sequence[Query], k: int) -> Run:
        if self.options.name == "bm25":
            return self._bm25.run(asked, k)
        vectors = self._embed([query.text for query in asked], "queries")
        if self.options.name == "dense":
            return nearest_run(asked, vectors, self._passages.passage_ids, self._vectors, k)
        if self.options.name == "hybrid":
            return hybrid_run(asked, vectors, self._vectors, self._bm25, k, self.options.weight)
        depth, ids = max(k, FUSED_DEPTH), self._passages.passage_ids
        runs = [self._bm25.run(asked, depth), nearest_run(asked, vectors, ids, self._vectors, depth)]
        return fuse_runs(runs, method="reciprocal", depth=k, passage_ids=ids)

    @cached_property
    def _bm25(self) -> BM25:
        return BM25(self._passages, BM25_TUNED if self.options.tuned else BM25_PLAIN)

    @cached_property
    def _vectors(self) -> npt.NDArray[Any]:
        return self._embed(FullTexts(self._passages), "passages")

    def _embed(self, texts: Sequence[str], description: str) -> npt.NDArray[Any]:
        return embed_texts(
            self._given.encoder(),
            texts,
            max_length=self.options.max_length,
            cache=self._given.cache,
            description=description,
        )
