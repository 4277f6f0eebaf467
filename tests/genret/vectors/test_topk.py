"""Exact top-k against a full stable sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.vectors import nearest_rows, top_rows, topk


def slow_top(scores: np.ndarray, k: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:k]


@given(scores=st.lists(st.integers(-3, 3), max_size=30), k=st.integers(1, 35))
def test_top_rows_equal_a_sort(scores: list[int], k: int) -> None:
    array = np.array(scores, np.float32)
    assert top_rows(array, k).tolist() == slow_top(array, k)


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(0, 7),
    rows=st.integers(0, 40),
    k=st.integers(1, 45),
    query_block=st.integers(1, 5),
    row_block=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_nearest_rows_equal_a_sort_of_all_products(
    queries: int, rows: int, k: int, query_block: int, row_block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Small whole numbers: products are exact, and many of them tie.
    asked = rng.integers(-2, 3, size=(queries, 3)).astype(np.float32)
    vectors = rng.integers(-2, 3, size=(rows, 3)).astype(np.float16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "QUERY_BLOCK", query_block)
        patch.setattr(topk, "ROW_BLOCK", row_block)
        found, scores = nearest_rows(asked, vectors, k)
    products = asked @ vectors.astype(np.float32).T
    assert found.shape == scores.shape == (queries, min(k, rows))
    for query in range(queries):
        assert found[query].tolist() == slow_top(products[query], k)
        np.testing.assert_array_equal(scores[query], products[query][found[query]])
