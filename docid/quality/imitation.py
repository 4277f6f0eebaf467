"""How well docids retrieve when each prefix stands for the mean of the vectors below it.

A model that only imitates the quantiser would do as well: at each step the nearest prefixes are kept, greedily or
as a beam. Knows vectors and a trie; knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.kmeans import FloatArray, check_vectors
from docid.ragged import IntArray
from docid.trie import DocidTrie

__all__ = ["imitation_scores", "nearest_prefixes", "prefix_means"]

QUERIES = 64


def imitation_scores(
    trie: DocidTrie,
    vectors: npt.NDArray[Any],
    queries: npt.NDArray[Any],
    relevant: Sequence[set[int]],
    beams: int = 10,
) -> dict[str, float]:
    """Hit rates of greedy and beam search over prefix means, and of the vectors themselves.

    Args:
        trie: the docids of the rows of `vectors` (floats [documents, dimensions]).
        queries: floats [queries, dimensions], of the same encoder.
        relevant: the documents that answer each query.

    Returns:
        "greedy hit@1", "beam hit@1", "beam hit@10", "dense hit@1", "dense hit@10" (the last two by the vectors).
    """
    check_vectors(vectors)
    check_vectors(queries, "query embeddings", dimensions=vectors.shape[1])
    means = prefix_means(trie, vectors)
    greedy = [found[:1] for found in nearest_prefixes(trie, means, queries, 1)]
    beam = list(nearest_prefixes(trie, means, queries, beams))
    dense = list(_nearest_documents(vectors, queries, 10))
    return {
        "greedy hit@1": _hit_rate(greedy, relevant, 1),
        "beam hit@1": _hit_rate(beam, relevant, 1),
        "beam hit@10": _hit_rate(beam, relevant, 10),
        "dense hit@1": _hit_rate(dense, relevant, 1),
        "dense hit@10": _hit_rate(dense, relevant, 10),
    }


def prefix_means(trie: DocidTrie, vectors: npt.NDArray[Any]) -> FloatArray:
    """The mean of the vectors of all documents below each edge of the trie's nodes: float32 [edges, dimensions]."""
    if len(vectors) != trie.num_documents:
        raise InputError(
            f"found {len(vectors)} embeddings for {trie.num_documents} documents; expected one each."
        )
    if trie.num_leaves == 0:
        return np.zeros((0, vectors.shape[1]), np.float32)
    leaves = trie.documents_of(trie.finished_base + np.arange(trie.num_leaves))
    documents = np.asarray(vectors[leaves.values], np.float32)
    sums: FloatArray = trie.sum_below(np.add.reduceat(documents, leaves.offsets[:-1], axis=0))
    sums /= trie.sum_below(leaves.lengths)[:, None]
    return sums


def nearest_prefixes(
    trie: DocidTrie, means: FloatArray, queries: npt.NDArray[Any], beams: int
) -> Iterator[list[int]]:
    """The documents of the `beams` docids whose prefixes are nearest at every step, nearest first, for each query."""
    norms = np.einsum("ij,ij->i", means, means)
    targets = trie.edge_targets()
    # All queries begin at the root: one product for many of them.
    root = slice(int(trie.offsets[0]), int(trie.offsets[1]))
    for begin in range(0, len(queries), QUERIES):
        batch = np.asarray(queries[begin : begin + QUERIES], np.float32)
        for query, scores in zip(batch, 2 * (batch @ means[root].T) - norms[root], strict=True):
            yield _search(trie, means, norms, targets, query, scores, beams)


def _search(
    trie: DocidTrie,
    means: FloatArray,
    norms: FloatArray,
    targets: IntArray,
    query: FloatArray,
    scores: FloatArray,
    beams: int,
) -> list[int]:
    """Beams are edges with a score, at first those of the root; those that lead to a leaf stay as they are."""
    found = np.arange(len(scores))
    while True:
        best = _best(scores, beams)
        found, scores = found[best], scores[best]
        inner = targets[found] < trie.tail_base
        if not inner.any():
            documents: list[int] = trie.documents_of(found_leaves(trie, targets[found])).values.tolist()
            return documents
        edges = trie.successors(targets[found[inner]]).edges
        found = np.concatenate([found[~inner], edges])
        scores = np.concatenate([scores[~inner], 2 * (means[edges] @ query) - norms[edges]])


def _best(scores: FloatArray, k: int) -> IntArray:
    """The places of the `k` highest scores, highest first."""
    chosen = np.argpartition(-scores, k)[:k] if k < len(scores) else np.arange(len(scores))
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def found_leaves(trie: DocidTrie, states: IntArray) -> IntArray:
    """The finished states that tail positions and finished states lead to."""
    in_tail = states < trie.finished_base
    leaves = np.searchsorted(trie.tail_starts, states - trie.tail_base, side="right") - 1
    return np.where(in_tail, trie.finished_base + leaves, states)


def _nearest_documents(vectors: npt.NDArray[Any], queries: npt.NDArray[Any], k: int) -> Iterator[list[int]]:
    documents = np.asarray(vectors, np.float32)
    norms = np.einsum("ij,ij->i", documents, documents)
    for begin in range(0, len(queries), QUERIES):
        scores = 2 * (np.asarray(queries[begin : begin + QUERIES], np.float32) @ documents.T) - norms
        for row in scores:
            yield _best(row, k).tolist()


def _hit_rate(found: Sequence[list[int]], relevant: Sequence[set[int]], k: int) -> float:
    if len(found) != len(relevant):
        raise InputError(
            f"found {len(found)} query embeddings and {len(relevant)} judged queries; expected one each."
        )
    return float(
        np.mean([not wanted.isdisjoint(got[:k]) for got, wanted in zip(found, relevant, strict=True)])
    )
