"""The best rows by score: exact, and equal scores always in row order.

Knows arrays; knows nothing of what the rows are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["inner_products", "nearest_rows", "top_rows"]

QUERY_BLOCK = 256
ROW_BLOCK = 16_384

Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


def top_rows(scores: npt.NDArray[Any], k: int) -> Int64Array:
    """The `k` rows of the highest scores ([n], any real dtype), best first, equal scores in row order."""
    if k < len(scores):
        # Every row that ties with the k-th best stays in, so that the row order decides among them.
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    order = np.argsort(-scores[candidates], kind="stable")[:k]
    return candidates[order].astype(np.int64, copy=False)


def nearest_rows(queries: FloatArray, vectors: npt.NDArray[Any], k: int) -> tuple[Int64Array, FloatArray]:
    """The rows of `vectors` with the largest inner products with each query, exactly, block by block.

    Args:
        queries: float32 [q, d].
        vectors: float16 or float32 [n, d]; may be memory-mapped, it is read in blocks.
        k: at most n are returned.

    Returns:
        Rows int64 [q, min(k, n)], best first, equal scores in row order, and their scores, float32.
    """
    k = min(k, len(vectors))
    rows = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    for begin in range(0, len(queries), QUERY_BLOCK):
        part = slice(begin, begin + QUERY_BLOCK)
        rows[part], scores[part] = _nearest_of_block(queries[part], vectors, k)
    return rows, scores


def inner_products(queries: FloatArray, vectors: npt.NDArray[Any]) -> FloatArray:
    """All inner products, float32 [q, n], of queries, float32 [q, d], and vectors, float16 or float32 [n, d]."""
    products = np.empty((len(queries), len(vectors)), np.float32)
    for begin, found in _blocks(queries, vectors):
        products[:, begin : begin + found.shape[1]] = found
    return products


def _blocks(queries: FloatArray, vectors: npt.NDArray[Any]) -> Iterator[tuple[int, FloatArray]]:
    """The inner products with some rows at a time, and the first of these rows."""
    for begin in range(0, len(vectors), ROW_BLOCK):
        yield begin, queries @ vectors[begin : begin + ROW_BLOCK].astype(np.float32).T


def _nearest_of_block(
    queries: FloatArray, vectors: npt.NDArray[Any], k: int
) -> tuple[Int64Array, FloatArray]:
    best_rows = [np.empty(0, np.int64)] * len(queries)
    best_scores = [np.empty(0, np.float32)] * len(queries)
    for begin, products in _blocks(queries, vectors):
        for query, found in enumerate(products):
            # A row that only ties with the k-th best so far comes after it, as it does in row order.
            full = len(best_rows[query]) == k > 0
            fresh = np.flatnonzero(found > best_scores[query][-1]) if full else np.arange(len(found))
            rows = np.concatenate([best_rows[query], fresh + begin])
            scores = np.concatenate([best_scores[query], found[fresh]])
            chosen = top_rows(scores, k)
            best_rows[query], best_scores[query] = rows[chosen], scores[chosen]
    return np.stack(best_rows), np.stack(best_scores)
