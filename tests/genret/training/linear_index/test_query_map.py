"""The query map: a rotation is found again, near-copies are no wrong answers, large corpora are sampled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close

from genret.training.linear_index import query_map
from genret.training.linear_index.query_map import fit_query_map


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
    monkeypatch.setattr(query_map, "MOST_PASSAGES", most)
    passages = unit(300, 12, 0)
    queries = passages @ rotation(12).T
    half = np.arange(0, 300, 2)
    assert np.mean((queries @ passages.T).argmax(1) == np.arange(300)) < 0.3
    learned = fit_query_map(queries[half], half, passages, steps=300, learning_rate=1e-2).numpy()
    assert np.mean((queries @ learned.T @ passages.T).argmax(1) == np.arange(300)) > 0.95


def test_a_near_copy_is_not_pushed_away():
    """Without steps the map is the identity; with them the loss of a passage and its copy alone has no gradient."""
    passages = unit(1, 8, 0).repeat(2, 0)
    passages[1, 0] += 0.001
    queries, gold = unit(5, 8, 1), np.zeros(5, np.int64)
    assert torch.equal(fit_query_map(queries, gold, passages, steps=0), torch.eye(8))
    assert_close(fit_query_map(queries, gold, passages, steps=20), torch.eye(8), ulps=FORWARD)
