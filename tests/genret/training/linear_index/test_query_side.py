"""The query side: a rotation is found again, words get their weight, near-copies are no wrong answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close

from genret.training.linear_index import query_side
from genret.training.linear_index.query_side import QuerySide, fit_query_side, mean_reciprocal_rank


def unit(count: int, dim: int, seed: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def rotation(dim: int) -> np.ndarray:
    """A rotation by about 50 degrees in every second plane."""
    angle, turned = 0.9, np.eye(dim, dtype=np.float32)
    for place in range(0, dim, 2):
        turned[place : place + 2, place : place + 2] = [
            [np.cos(angle), -np.sin(angle)],
            [np.sin(angle), np.cos(angle)],
        ]
    return turned


@pytest.mark.parametrize("most", [16_384, 150])
def test_a_rotation_of_the_queries_is_undone(most, monkeypatch):
    """Queries are rotated passages; half of them are learned from, all are found, with sampled negatives too."""
    monkeypatch.setattr(query_side, "MOST_PASSAGES", most)
    passages = unit(300, 12, 0)
    queries = passages @ rotation(12).T
    half = np.arange(0, 300, 2)
    assert np.mean((queries @ passages.T).argmax(1) == np.arange(300)) < 0.3
    learned = fit_query_side(queries[half], half, passages, steps=300, learning_rate=1e-2)
    assert mean_reciprocal_rank(learned, queries, np.arange(300), passages) > 0.95


def test_a_near_copy_is_not_pushed_away():
    """Without steps the map is the identity; with them the loss of a passage and its copy alone has no gradient."""
    passages = unit(1, 8, 0).repeat(2, 0)
    passages[1, 0] += 0.001
    queries, gold = unit(5, 8, 1), np.zeros(5, np.int64)
    start = fit_query_side(queries, gold, passages, steps=0)
    assert torch.equal(start.map, torch.eye(8))
    assert_close([start.scale, start.words], [20.0, 1.0], ulps=FORWARD)
    learned = fit_query_side(queries, gold, passages, steps=20)
    assert_close(learned.map, torch.eye(8), ulps=FORWARD)


@pytest.mark.parametrize(("informative", "grows"), [(True, True), (False, False)])
def test_words_weigh_what_they_tell(informative, grows):
    """Vectors that tell nothing: words that name the passage gain weight, words that name another lose it."""
    passages, queries = unit(60, 8, 0), unit(60, 8, 1)
    gold = np.arange(60)
    named = torch.eye(60) if informative else torch.eye(60).roll(1, 1)
    learned = fit_query_side(queries, gold, passages, lambda rows: named[rows], steps=100)
    assert (learned.words > 1) == grows


def standard(vector: np.ndarray) -> np.ndarray:
    return (vector - vector.mean()) / np.sqrt(vector.var() + 1e-5)


def test_ranks_are_counted_as_by_hand():
    passages, queries, gold = unit(40, 8, 0), unit(9, 8, 1), np.arange(9)
    words = torch.from_numpy(np.random.default_rng(2).random((9, 40)).astype(np.float32))
    side = QuerySide(torch.from_numpy(rotation(8)), 7.0, 0.5)
    total = 0.0
    for query in range(9):
        vector = standard(rotation(8) @ standard(queries[query])) / 8**0.5
        scores = 7.0 * passages @ vector + 0.5 * words[query].numpy()
        rank = 1 + sorted(-scores).index(-scores[query])
        total += 1 / rank if rank <= 10 else 0.0
    found = mean_reciprocal_rank(side, queries, gold, passages, lambda rows: words[rows])
    assert_close(found, total / 9, ulps=FORWARD)


def test_passages_that_nobody_asks_for_push_nothing_away():
    """With and without strangers the same is learned: who was not asked for yet must not be hidden by training."""
    passages, gold = unit(90, 12, 0), np.arange(0, 60, 2)
    queries = passages[gold] @ rotation(12).T
    alone = fit_query_side(queries, np.arange(30), passages[gold], steps=30)
    among = fit_query_side(queries, gold, passages, steps=30)
    assert_close(among.map, alone.map, ulps=FORWARD)
    assert_close(among.scale, alone.scale, ulps=FORWARD)
