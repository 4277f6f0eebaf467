"""Several runs: Holm's correction, every pair, and the queries that changed most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from floats import DOUBLE, assert_close
from hypothesis import given
from hypothesis import strategies as st

from genret.errors import InputError
from genret.evaluation import Evaluation, compare, compare_all, draw_runs, holm, mean_of_runs, most_changed


def evaluation(*columns: list[float]) -> Evaluation:
    values = np.array(columns, np.float64).T
    names = tuple(f"hit@{number + 1}" for number in range(len(columns)))
    return Evaluation(names, tuple(f"q{row}" for row in range(len(values))), values)


def test_holm_by_hand() -> None:
    # 4 x .01, 3 x .02, 2 x .03 = .06 held up by .06, and 1 x .04 held up by .06.
    assert_close(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06], relative=DOUBLE)
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.01]) == [0.01]
    assert holm([]) == []


def naive_holm(p_values: list[float]) -> list[float]:
    ordered = sorted(range(len(p_values)), key=lambda place: p_values[place])
    found = [0.0] * len(p_values)
    for rank, place in enumerate(ordered):
        steps = [p_values[ordered[i]] * (len(p_values) - i) for i in range(rank + 1)]
        found[place] = min(1.0, max(steps))
    return found


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_equals_its_definition(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert_close(corrected, naive_holm(p_values), relative=DOUBLE)
    assert all(after >= before - 1e-12 for before, after in zip(p_values, corrected, strict=True))


def test_every_pair_is_compared_by_every_metric() -> None:
    rng = np.random.default_rng(0)
    runs = {
        name: evaluation(*(rng.random(40) < share for _ in range(2)))
        for name, share in (("a", 0.2), ("b", 0.8), ("c", 0.8))
    }
    pairs = compare_all(runs)
    assert [(one.comparison.metric, one.first, one.second) for one in pairs] == [
        (metric, first, second)
        for metric in ("hit@1", "hit@2")
        for first, second in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    assert pairs[0].comparison == compare(runs["a"], runs["b"], "hit@1")
    assert [one.corrected for one in pairs] == holm([one.comparison.p_value for one in pairs])
    assert pairs[0].corrected < 0.05 < pairs[2].corrected


def test_queries_that_changed_most_come_first_and_equal_ones_not_at_all() -> None:
    runs = {"a": evaluation([0, 1, 0.5, 0.2, 1]), "b": evaluation([0, 0, 1, 0.7, 1])}
    found = most_changed(runs, "hit@1", 10)
    assert [(one.query_id, one.values) for one in found] == [
        ("q1", (1.0, 0.0)),
        ("q2", (0.5, 1.0)),
        ("q3", (0.2, 0.7)),
    ]
    assert [one.query_id for one in most_changed(runs, "hit@1", 1)] == ["q1"]


def test_runs_on_other_queries_are_refused() -> None:
    with pytest.raises(InputError, match="different queries"):
        compare_all({"a": evaluation([1.0]), "b": evaluation([1.0, 0.0])})


def test_the_figure_is_drawn_or_refused(tmp_path: Path) -> None:
    runs = {"a": evaluation([0, 1, 1]), "b": evaluation([0, 0, 1])}
    draw_runs(runs, tmp_path / "f.svg")
    assert "</svg>" in (tmp_path / "f.svg").read_text()
    with pytest.raises(InputError, match=r"name a \.png or \.svg"):
        draw_runs(runs, tmp_path / "f.xyz")
    assert not (tmp_path / "f.xyz").exists()


def test_the_mean_of_runs_is_query_by_query() -> None:
    found = mean_of_runs([evaluation([0.0, 1.0, 1.0]), evaluation([1.0, 1.0, 0.5])])
    assert found.column("hit@1").tolist() == [0.5, 1.0, 0.75]
    assert found.query_ids == ("q0", "q1", "q2")
    with pytest.raises(InputError, match="different queries or metrics"):
        mean_of_runs([evaluation([0.0, 1.0]), evaluation([0.0])])
