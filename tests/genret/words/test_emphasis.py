"""How much words are emphasised, against the same in pure Python, and what it must not depend on."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist, fmean, pstdev

import numpy as np
from floats import assert_close
from hypothesis import assume, given
from hypothesis import strategies as st

from genret.words import emphasis_of
from genret.words.emphasis import LOUDEST, SURE

scores_of = st.lists(st.integers(-1000, 1000), min_size=3, max_size=40)


def emphasis_by_hand(scores: Sequence[float]) -> float:
    ranked = sorted(scores)
    best, others = ranked[-1], ranked[:-1]
    if len(others) < 2 or pstdev(others) == 0:
        return 1.0
    chance = NormalDist().inv_cdf((len(others) - 0.375) / (len(others) + 0.25))
    above = (best - fmean(others)) / pstdev(others) - chance
    return LOUDEST ** (1 - min(max(above / SURE, 0), 1))


@given(rows=st.lists(scores_of, min_size=1, max_size=4).filter(lambda rows: len({*map(len, rows)}) == 1))
def test_it_is_the_one_by_hand(rows: list[list[int]]) -> None:
    found = emphasis_of(np.array(rows, np.float32))
    assert_close(found, [emphasis_by_hand(row) for row in rows], relative=1e-4)


@given(row=scores_of, factor=st.sampled_from([0.25, 2.0, 64.0]), shift=st.integers(-100, 100))
def test_scale_and_shift_of_scores_change_nothing(row: list[int], factor: float, shift: int) -> None:
    assume(pstdev(sorted(row)[:-1]) > 0)
    moved = factor * np.array([row], np.float32) + shift
    assert_close(emphasis_of(moved), emphasis_of(np.array([row], np.float32)), relative=1e-4)


@given(row=scores_of)
def test_documents_without_codes_do_not_count(row: list[int]) -> None:
    scores = np.array([row], np.float32)
    padded = np.full((1, 2 * len(row)), -np.inf, np.float32)
    padded[:, ::2] = scores
    assert emphasis_of(padded).tolist() == emphasis_of(scores).tolist()


def test_words_count_as_they_are_where_one_document_stands_out() -> None:
    scores = np.random.default_rng(0).standard_normal((5, 500)).astype(np.float32)
    scores[:, 7] = 12.0
    assert emphasis_of(scores).tolist() == [1.0] * 5


def test_words_count_most_where_no_document_stands_higher_than_by_chance() -> None:
    found = emphasis_of(np.random.default_rng(0).standard_normal((400, 500)).astype(np.float32))
    assert ((found >= 1) & (found <= LOUDEST)).all()
    assert np.median(found) > LOUDEST / 2


def test_few_documents_and_equal_ones_are_no_doubt() -> None:
    assert emphasis_of(np.zeros((2, 50), np.float32)).tolist() == [1.0, 1.0]
    assert emphasis_of(np.array([[3.0, 4.0]], np.float32)).tolist() == [1.0]
    assert emphasis_of(np.empty((0, 5), np.float32)).tolist() == []
