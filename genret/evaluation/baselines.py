"""What a generative retriever is measured against: BM25, the dense retriever of a sentence encoder, and their sum.

All search exactly and break ties by the passages' order. BM25: S. Robertson and H. Zaragoza, "The Probabilistic
Relevance Framework", 2009, with Lucene's idf, through bm25s (X. H. Lù, "BM25S", 2024).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.scripts import bigrams, folded
from genret.corpus import Passage, Query, Run
from genret.jobs.progress import progress
from genret.vectors.embedding import Encoder, embed_texts
from genret.vectors.topk import inner_products, nearest_rows, top_rows

__all__ = [
    "BM25",
    "BM25_PLAIN",
    "BM25_TUNED",
    "HYBRID_WEIGHT",
    "Bm25Options",
    "FullTexts",
    "bm25_run",
    "dense_run",
    "embed_both",
    "hybrid_run",
    "nearest_run",
]

WORD = r"(?u)\b\w+\b"
# Of a BM25 score, whose idf is in nats, beside the inner product of unit vectors.
HYBRID_WEIGHT = 0.01
# Queries whose scores of all passages are held at a time.
HYBRID_BLOCK = 64


FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Bm25Options:
    """How BM25 reads texts and weighs words; where a script writes no spaces, pairs of characters are its words.

    Attributes:
        k1, b: saturation of the word frequency, and how much a passage's length counts.
        stem: English stemming (Snowball), common English words left out, accents folded.
        title_weight: how often the title is counted.
    """

    k1: float = 1.2
    b: float = 0.75
    stem: bool = False
    title_weight: int = 1


BM25_PLAIN = Bm25Options()
BM25_TUNED = Bm25Options(k1=1.5, stem=True, title_weight=3)


class BM25:
    """An index of passages in memory, built at once."""

    def __init__(self, passages: Iterable[Passage], settings: Bm25Options = BM25_PLAIN) -> None:
        import bm25s

        self.settings = settings
        self.passage_ids: list[str] = []
        texts = []
        for passage in passages:
            self.passage_ids.append(passage.passage_id)
            texts.append(" ".join([passage.title] * settings.title_weight + [passage.text]))
        self._index = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene")
        self._index.index(self._words(texts), show_progress=False)

    def run(self, queries: Sequence[Query], k: int) -> Run:
        """The `k` best passages of each query; none for one without a word in common."""
        hits = self.search([query.text for query in queries], k)
        return {query.query_id: found for query, found in zip(queries, hits, strict=True)}

    def search(self, texts: Sequence[str], k: int) -> list[list[tuple[str, float]]]:
        """The `k` best passages of each text with a word in common, best first, equal scores in corpus order."""
        with progress(len(texts), "BM25", "queries") as report:
            hits = []
            for scores in self.scores(texts):
                rows = top_rows(scores, k)
                hits.append([(self.passage_ids[row], float(scores[row])) for row in rows if scores[row] > 0])
                report.advance()
        return hits

    def scores(self, texts: Sequence[str]) -> Iterator[FloatArray]:
        """The scores of all passages for one text after the other, float32 [N]; 0 without a word in common."""
        for words in self._words(texts, as_text=True):
            known = [word for word in words if word in self._index.vocab_dict]
            yield self._index.get_scores(known) if known else np.zeros(len(self.passage_ids), np.float32)

    def _words(self, texts: Sequence[str], *, as_text: bool = False) -> Any:
        """bm25s's own form of tokenised texts, or lists of words."""
        import bm25s
        import Stemmer

        stem = self.settings.stem
        return bm25s.tokenize(
            [bigrams(folded(text) if stem else text) for text in texts],
            token_pattern=WORD,
            stopwords="english_plus" if stem else None,
            stemmer=Stemmer.Stemmer("english") if stem else None,
            return_ids=not as_text,
            show_progress=False,
        )


def bm25_run(
    passages: Iterable[Passage],
    queries: Iterable[Query],
    k: int = 100,
    settings: Bm25Options = BM25_PLAIN,
) -> Run:
    """Search `passages` with every query by BM25; a query without a word in common has no hits."""
    return BM25(passages, settings).run(list(queries), k)


def dense_run(
    passages: Sequence[Passage],
    queries: Iterable[Query],
    encoder: Encoder,
    k: int = 100,
    *,
    max_length: int = 256,
    cache: str | os.PathLike[str] | None = None,
) -> Run:
    """Search `passages` with every query by the inner product of unit vectors, exactly.

    A passage is embedded as its `full_text`. `cache` is a folder of vectors, see `embed_texts`.
    """
    listed = list(queries)
    asked, vectors = embed_both(listed, passages, encoder, max_length=max_length, cache=cache)
    return nearest_run(listed, asked, [passage.passage_id for passage in passages], vectors, k)


def embed_both(
    queries: Sequence[Query],
    passages: Sequence[Passage],
    encoder: Encoder,
    *,
    max_length: int = 256,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    """Unit vectors of queries and of passages (their `full_text`): float16 [q, d] and [N, d]."""
    texts = FullTexts(passages)
    vectors = embed_texts(encoder, texts, max_length=max_length, cache=cache, description="passages")
    asked = embed_texts(
        encoder,
        [query.text for query in queries],
        max_length=max_length,
        cache=cache,
        description="queries",
    )
    return asked, vectors


def nearest_run(
    queries: Sequence[Query],
    asked: npt.NDArray[Any],
    passage_ids: Sequence[str],
    vectors: npt.NDArray[Any],
    k: int = 100,
) -> Run:
    """The passages with the largest inner products, exactly: vectors [queries, d] against [passages, d]."""
    rows, scores = nearest_rows(asked.astype(np.float32), vectors, k)
    return {
        query.query_id: [
            (passage_ids[row], score) for row, score in zip(found.tolist(), values.tolist(), strict=True)
        ]
        for query, found, values in zip(queries, rows, scores, strict=True)
    }


def hybrid_run(
    queries: Sequence[Query],
    asked: npt.NDArray[Any],
    vectors: npt.NDArray[Any],
    bm25: BM25,
    k: int = 100,
    weight: float = HYBRID_WEIGHT,
) -> Run:
    """The passages with the largest sums of inner product and `weight` times BM25 score, among all, exactly.

    Args:
        asked: of the queries, unit vectors [q, d].
        vectors: of the passages that `bm25` holds, unit vectors [N, d].
    """
    run: Run = {}
    with progress(len(queries), "hybrid", "queries") as report:
        for begin in range(0, len(queries), HYBRID_BLOCK):
            block = queries[begin : begin + HYBRID_BLOCK]
            products = inner_products(asked[begin : begin + HYBRID_BLOCK].astype(np.float32), vectors)
            by_words = bm25.scores([query.text for query in block])
            for query, dense, words in zip(block, products, by_words, strict=True):
                scores = dense + np.float32(weight) * words
                rows = top_rows(scores, k)
                run[query.query_id] = [(bm25.passage_ids[row], float(scores[row])) for row in rows]
                report.advance()
    return run


class FullTexts(Sequence[str]):
    """The full texts of passages, made when asked for: a mapped corpus stays out of memory."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    @classmethod
    def of(cls, passages: Callable[[], Sequence[Passage]]) -> FullTexts:
        """Of those that `passages` gives; what a process is sent that reads them itself."""
        return cls(passages())

    def __len__(self) -> int:
        return len(self._passages)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [passage.full_text for passage in self._passages[row]]
        return self._passages[row].full_text
