"""The greatest score below each prefix: against a walk from every prefix; what is out of bounds is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid import _core
from docid.best_below import NO_LEAF, BestBelow
from docid.trie import DEAD, DocidTrie

EOS = 0
docids = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), max_size=12)
values = st.sampled_from([-np.inf, np.nan, -2.0, 0.0, 0.5, 0.5, 3.0])


def slow_best(trie: DocidTrie, scores: list[float], prefix: list[int]) -> float:
    """NaN is no score."""
    found = [scores[document] for document in trie.documents_below(prefix)]
    return max((score for score in found if score == score), default=-np.inf)


def place_of(trie: DocidTrie, prefix: list[int]) -> int:
    """A place in a tail is its leaf's."""
    state = trie.walk(prefix)
    if state < trie.num_nodes:
        return state
    leaf = state - trie.finished_base
    if leaf < 0:
        leaf = int(np.searchsorted(trie.tail_starts, state - trie.tail_base, side="right")) - 1
    return trie.num_nodes + leaf


@given(docids, st.data(), st.integers(1, 3), st.integers(0, 3))
def test_below_every_prefix_of_any_trie(
    rows: list[list[int]], data: st.DataObject, threads: int, more: int
) -> None:
    # Some documents have no docid here, as removed ones have none; several may share one.
    numbers = np.array(
        sorted(data.draw(st.sets(st.integers(0, 20), min_size=len(rows), max_size=len(rows)))), int
    )
    trie = DocidTrie.build(rows, EOS, numbers)
    documents = trie.document_end + more
    scores = data.draw(st.lists(st.lists(values, min_size=documents, max_size=documents), max_size=3))
    best = BestBelow(trie, documents, threads=threads)(
        np.array(scores, np.float32).reshape(len(scores), documents)
    )
    assert best.shape == (len(scores), trie.num_nodes + trie.num_leaves)
    prefixes = {tuple(row[:end]) for row in rows for end in range(len(row) + 1)} | {
        (*row, EOS) for row in rows
    }
    for own, found in zip(scores, best, strict=True):
        for prefix in prefixes:
            assert trie.walk(prefix) != DEAD
            assert found[place_of(trie, list(prefix))] == slow_best(trie, own, list(prefix))


def test_of_many_documents_each_place_has_the_best_of_those_below_it() -> None:
    random = np.random.default_rng(0)
    trie = DocidTrie.build(random.integers(1, 9, (5000, 5)), EOS)
    scores = random.normal(size=(2, 5000)).astype(np.float32)
    best = BestBelow(trie, 5000, threads=2)(scores)
    begins = np.concatenate([[0], np.cumsum(trie.leaf_sizes())])[:-1]
    leaves = np.maximum.reduceat(scores[:, trie.leaf_documents].T, begins, axis=0)
    assert trie.num_leaves < 5000
    assert np.array_equal(best[:, trie.num_nodes :], leaves.T)
    # Each node has the best of the places that its edges lead to: nodes, and leaves in the edges' order.
    edges = np.arange(trie.num_edges)
    before = np.searchsorted(trie.node_edges, edges)
    below = np.where(np.isin(edges, trie.node_edges), before + 1, trie.num_nodes + edges - before)
    assert np.array_equal(
        best[:, : trie.num_nodes], np.maximum.reduceat(best[:, below], trie.offsets[:-1], axis=1)
    )
    assert np.array_equal(best[:, 0], scores.max(axis=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": 0}, "nodes: expected 1 to 4, found 0"),
        ({"nodes": 5}, "nodes: expected 1 to 4"),
        ({"parents": np.array([0, 0, 2, 1], np.uint32)}, r"parents\[2\]: expected a node before it, found 2"),
        ({"parents": np.array([0, 1, 1, 1], np.uint32)}, r"parents\[1\]"),
        ({"leaf_of": np.array([2], np.uint32)}, r"leaf_of\[0\]: expected one of 2 leaves, found 2"),
    ],
)
def test_a_tree_that_is_none_is_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "leaf_of": np.array([1, NO_LEAF, 0], np.uint32),
        "parents": np.array([0, 0, 1, 1], np.uint32),
        "nodes": 2,
    }
    _core.Places(**arguments)
    with pytest.raises(ValueError, match=message):
        _core.Places(**{**arguments, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scores": np.zeros((1, 2), np.float32)}, ValueError, "a column for each of 3 documents, found 2"),
        ({"scores": np.zeros((1, 3))}, TypeError, "scores: expected a contiguous array"),
        ({"out": np.zeros((2, 4), np.float32)}, ValueError, "a row for each query"),
        ({"out": np.zeros((1, 3), np.float32)}, ValueError, "a column for each place"),
        ({"threads": 0}, ValueError, "threads"),
    ],
)
def test_scores_that_do_not_fit_are_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    places = _core.Places(np.array([1, NO_LEAF, 0], np.uint32), np.array([0, 0, 1, 1], np.uint32), 2)
    arguments: dict[str, Any] = {
        "scores": np.ones((1, 3), np.float32),
        "out": np.zeros((1, 4), np.float32),
        "threads": 1,
    }
    places.best_below(**arguments)
    with pytest.raises(error, match=message):
        places.best_below(**{**arguments, **change})
