"""Intervals and paired tests against direct computations and known extremes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from floats import DOUBLE, assert_close

from genret.errors import InputError
from genret.evaluation import Evaluation, compare, interval, significance


def evaluation(values: list[float], query_ids: list[str] | None = None) -> Evaluation:
    names = query_ids or [f"q{i}" for i in range(len(values))]
    return Evaluation(("hit@1",), tuple(names), np.array(values)[:, None])


def test_interval_is_near_the_normal_one_and_repeats() -> None:
    values = (np.random.default_rng(1).random(400) < 0.3).astype(float)
    found = interval(values)
    error = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == values.mean()
    assert_close(found.low, found.mean - error, within=0.005)
    assert_close(found.high, found.mean + error, within=0.005)
    assert interval(values) == found
    assert interval(values, seed=1) != found


def test_interval_of_equal_or_no_values() -> None:
    assert interval(np.ones(5)) == significance.Interval(1.0, 1.0, 1.0)
    assert interval(np.empty(0)) == significance.Interval(0.0, 0.0, 0.0)


def test_drawing_in_blocks_covers_every_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "DRAWS", 700)
    values = np.random.default_rng(2).random(100)
    assert sum(rows for rows, _ in significance._shapes(significance.SAMPLES, 100)) == significance.SAMPLES
    assert interval(values).low < values.mean() < interval(values).high


def test_randomisation_agrees_with_all_sign_patterns() -> None:
    change = np.array([0.5, 0.25, -0.125, 1.0, 0.375, 0.0, 0.75, -0.25])
    kept = change[change != 0]
    sums = [abs(float(np.dot(signs, kept))) for signs in itertools.product((-1, 1), repeat=len(kept))]
    exact = np.mean([value >= abs(kept.sum()) for value in sums])
    found = compare(evaluation([0.0] * len(change)), evaluation(change.tolist()), "hit@1")
    assert_close(found.p_value, exact, within=0.02)
    assert (found.wins, found.losses, found.ties) == (5, 2, 1)
    assert_close(found.difference.mean, change.mean(), relative=DOUBLE)


def test_equal_runs_do_not_differ_and_opposite_runs_do() -> None:
    same = compare(evaluation([1, 0, 1]), evaluation([1, 0, 1]), "hit@1")
    assert (same.p_value, same.difference.mean, same.ties) == (1.0, 0.0, 3)
    apart = compare(evaluation([0.0] * 40), evaluation([1.0] * 40), "hit@1")
    assert_close(apart.p_value, 1 / (significance.PERMUTATIONS + 1), relative=DOUBLE)
    assert apart.difference.low == 1.0


def test_runs_on_different_queries_are_not_compared() -> None:
    with pytest.raises(InputError, match="scored on different queries"):
        compare(evaluation([1.0], ["a"]), evaluation([1.0], ["b"]), "hit@1")
