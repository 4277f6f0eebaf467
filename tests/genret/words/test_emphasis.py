"""How much words are emphasised, against the same in pure Python, and what it must not depend on."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist, fmean, pstdev

import numpy as np
import pytest
from floats import FORWARD, assert_close
from hypothesis import assume, given
from hypothesis import strategies as st

from genret.words import contradicted, doubts, emphases, told_apart
from genret.words.emphasis import EVEN, FAINT, LOUD, LOUDEST, RANK, SURE, UNSURE

scores_of = st.lists(st.integers(-1000, 1000), min_size=3, max_size=40)
# A mean of float32 numbers up to 1,000 errs by 6e-5, whole numbers that are not all the same deviate by .15, and a
# doubt is their ratio over .75: half of this.
SHARE = 1e-3


def doubt_by_hand(scores: Sequence[float]) -> float:
    ranked = sorted(scores)
    best, others = ranked[-1], ranked[:-1]
    if len(others) < 2 or pstdev(others) == 0:
        return 0.0
    chance = NormalDist().inv_cdf((len(others) - 0.375) / (len(others) + 0.25))
    above = (best - fmean(others)) / pstdev(others) - chance
    return min(max((SURE - above) / (SURE - UNSURE), 0), 1)


def told_by_hand(words: Sequence[float]) -> bool:
    ranked = sorted(words, reverse=True)
    return bool(ranked) and ranked[0] > 0 and ranked[:RANK][-1] < EVEN * ranked[0]


def contradicted_by_hand(codes: Sequence[float], words: Sequence[float]) -> bool:
    ranked = sorted(words, reverse=True)
    if not ranked or ranked[0] <= 0:
        return False
    return words[codes.index(max(codes))] < FAINT * ranked[0] > ranked[:RANK][-1]


def emphasis_by_hand(codes: Sequence[float], words: Sequence[float]) -> float:
    by_doubt = LOUDEST ** (doubt_by_hand(codes) * told_by_hand(words))
    return float(max(by_doubt, LOUD if contradicted_by_hand(codes, words) else 1.0))


@given(rows=st.lists(scores_of, min_size=1, max_size=4).filter(lambda rows: len({*map(len, rows)}) == 1))
def test_doubt_is_the_one_by_hand(rows: list[list[int]]) -> None:
    assert_close(doubts(np.array(rows, np.float32)), [doubt_by_hand(row) for row in rows], within=SHARE)


@given(row=scores_of, factor=st.sampled_from([0.25, 2.0, 64.0]), shift=st.integers(-100, 100))
def test_scale_and_shift_of_scores_change_nothing(row: list[int], factor: float, shift: int) -> None:
    assume(pstdev(sorted(row)[:-1]) > 0)
    moved = factor * np.array([row], np.float32) + shift
    assert_close(doubts(moved), doubts(np.array([row], np.float32)), within=SHARE)


@given(row=scores_of)
def test_documents_without_codes_do_not_count(row: list[int]) -> None:
    scores = np.array([row], np.float32)
    padded = np.full((1, 2 * len(row)), -np.inf, np.float32)
    padded[:, ::2] = scores
    assert doubts(padded).tolist() == doubts(scores).tolist()


def test_there_is_no_doubt_where_one_document_stands_out() -> None:
    scores = np.random.default_rng(0).standard_normal((5, 500)).astype(np.float32)
    scores[:, 7] = 12.0
    assert doubts(scores).tolist() == [0.0] * 5


def test_there_is_doubt_where_no_document_stands_higher_than_by_chance() -> None:
    found = doubts(np.random.default_rng(0).standard_normal((400, 500)).astype(np.float32))
    assert ((found >= 0) & (found <= 1)).all()
    assert np.median(found) > 0.5


def test_few_documents_and_equal_ones_are_no_doubt() -> None:
    assert doubts(np.zeros((2, 50), np.float32)).tolist() == [0.0, 0.0]
    assert doubts(np.array([[3.0, 4.0]], np.float32)).tolist() == [0.0]
    assert doubts(np.empty((0, 5), np.float32)).tolist() == []


@given(words=st.lists(st.integers(0, 50), max_size=40))
def test_words_tell_documents_apart_as_sorting_says(words: list[int]) -> None:
    assert told_apart(np.array(words, np.float32)) == told_by_hand(words)


@given(rows=st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 50)), max_size=40))
def test_words_contradict_codes_as_sorting_says(rows: list[tuple[int, int]]) -> None:
    codes, words = [row[0] for row in rows], [row[1] for row in rows]
    found = contradicted(np.array(codes, np.float32), np.array(words, np.float32))
    assert found == contradicted_by_hand(codes, words)


def test_words_contradict_codes_where_few_have_them_and_the_first_by_codes_has_not() -> None:
    codes, words = np.zeros(100, np.float32), np.zeros(100, np.float32)
    codes[7], words[:5] = 9.0, 3.0
    assert contradicted(codes, words)
    words[7] = 1.0
    assert not contradicted(codes, words)
    words[:20], words[7] = 3.0, 0.0
    assert not contradicted(codes, words)
    assert not contradicted(codes, np.zeros(100, np.float32))
    assert not contradicted(np.empty(0, np.float32), np.empty(0, np.float32))


def test_words_tell_apart_where_few_documents_have_them() -> None:
    few, many = np.zeros(100, np.float32), np.full(100, 3.0, np.float32)
    few[:9] = 3.0
    assert (told_apart(few), told_apart(many), told_apart(np.zeros(100, np.float32))) == (True, False, False)


@pytest.mark.parametrize(
    ("doubt", "told", "against", "factor"),
    [
        (0, True, False, 1),
        (1, True, False, LOUDEST),
        (0.5, True, False, LOUDEST**0.5),
        (1, False, False, 1),
        (0, True, True, LOUD),
        (0, False, True, LOUD),
        (1, True, True, LOUDEST),
    ],
)
def test_words_are_loud_where_codes_are_in_doubt_and_words_are_not(
    doubt: float, told: bool, against: bool, factor: float
) -> None:
    found = emphases(np.array([doubt], np.float32), np.array([told]), np.array([against]))
    assert_close(found, [factor], ulps=FORWARD)
