"""Residual-quantisation docids: each level takes error away, the same input gives the same docids."""

from __future__ import annotations

import numpy as np
import pytest

from docid.errors import InputError
from docid.strategies import DocumentFields, Residual
from docid.strategies.residual import residual_codes


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def error(points: np.ndarray, codes: np.ndarray) -> float:
    """What is left when each code stands for the mean of what the levels before left of its documents."""
    left = points.astype(np.float64)
    for level in range(codes.shape[1]):
        for code in np.unique(codes[:, level]):
            rows = codes[:, level] == code
            left[rows] -= left[rows].mean(0)
    return float((left**2).sum())


def test_each_level_takes_error_away():
    points = vectors(300)
    errors = [error(points, residual_codes(points, levels, 8, 0)) for levels in (1, 2, 4)]
    assert errors[0] < 0.8 * float((points**2).sum())
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[1]


def test_levels_extend_each_other_and_seeds_decide():
    points = vectors(200)
    assert np.array_equal(residual_codes(points, 2, 8, 3), residual_codes(points, 4, 8, 3)[:, :2])
    assert not np.array_equal(residual_codes(points, 2, 8, 3), residual_codes(points, 2, 8, 4))


@pytest.mark.parametrize("count", [0, 1, 2, 101])
def test_any_number_of_documents(count):
    table = Residual(levels=3, codes=4).assign(DocumentFields(count, embeddings=vectors(count)))
    assert table.num_documents == count
    assert all(len(table.sequence(document)) == 3 for document in range(count))


def test_identical_vectors_share_a_docid():
    points = np.repeat(vectors(3), 50, axis=0)
    table = Residual(levels=4, codes=16).assign(DocumentFields(150, embeddings=points))
    assert table.num_docids == 3
    assert table.documents(table.docid(60)).tolist() == list(range(50, 100))


def test_tokens_are_told_apart_by_level():
    table = Residual(levels=2, codes=4).assign(DocumentFields(50, embeddings=vectors(50)))
    first = {int(table.sequence(document)[0]) for document in range(50)}
    second = {int(table.sequence(document)[1]) for document in range(50)}
    assert not first & second
    assert table.new_tokens[0] == "<c1_0>"


def test_what_cannot_be_quantised_is_named():
    points = vectors(5)
    points[3, 1] = np.nan
    with pytest.raises(InputError, match="rows 3"):
        Residual().assign(DocumentFields(5, embeddings=points))
    with pytest.raises(InputError, match="levels is 0"):
        Residual(levels=0)
    with pytest.raises(InputError, match="needs the documents' embeddings"):
        Residual().assign(DocumentFields(5))
