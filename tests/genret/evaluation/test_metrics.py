"""Metrics against slow twins written from their definitions; every judged query counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from floats import DOUBLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import InputError, UsageError
from genret.evaluation import DEFAULT_METRICS, Evaluation, evaluate, seen_queries

PASSAGES = [f"p{i}" for i in range(8)]
METRICS = ("hit@1", "hit@3", "MRR@3", "MRR@10", "recall@2", "recall@10", "nDCG@3")

grades = st.dictionaries(st.sampled_from(PASSAGES), st.integers(-2, 3), min_size=1)
judgements = st.dictionaries(st.sampled_from(["q1", "q2", "3", "Ü"]), grades, min_size=1)
ranking = st.lists(st.sampled_from(PASSAGES), unique=True).map(
    lambda ids: [(passage_id, -float(rank)) for rank, passage_id in enumerate(ids)]
)
runs = st.dictionaries(st.sampled_from(["q1", "q2", "3", "Ü", "unjudged"]), ranking)


def slow_value(name: str, ranked: list[str], graded: dict[str, int]) -> float:
    kind, cut = name.split("@")
    top = ranked[: int(cut)]
    relevant = {passage_id for passage_id, grade in graded.items() if grade > 0}
    if not relevant:
        return 0.0
    if kind == "hit":
        return float(any(passage_id in relevant for passage_id in top))
    if kind == "MRR":
        return next((1 / rank for rank, passage_id in enumerate(top, 1) if passage_id in relevant), 0.0)
    if kind == "recall":
        return len(relevant.intersection(top)) / len(relevant)
    gains = [max(graded.get(passage_id, 0), 0) for passage_id in top]
    ideal = sorted((max(grade, 0) for grade in graded.values()), reverse=True)[: int(cut)]
    discounted = [
        sum(gain / math.log2(rank + 1) for rank, gain in enumerate(row, 1)) for row in (gains, ideal)
    ]
    return discounted[0] / discounted[1]


@settings(max_examples=120, deadline=None)
@given(run=runs, judged=judgements)
def test_values_equal_the_definitions(
    run: dict[str, list[tuple[str, float]]], judged: dict[str, dict[str, int]]
) -> None:
    if run.keys().isdisjoint(judged):
        with pytest.raises(InputError, match="no query in common"):
            evaluate(run, judged, METRICS)
        return
    found = evaluate(run, judged, METRICS)
    assert found.query_ids == tuple(judged)
    for row, (query_id, graded) in enumerate(judged.items()):
        ranked = [passage_id for passage_id, _ in run.get(query_id, [])]
        expected = [slow_value(name, ranked, graded) for name in METRICS]
        assert_close(found.values[row], expected, relative=DOUBLE)


def test_a_missing_query_and_one_without_hits_count_as_zero() -> None:
    judged = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}, "q4": {"d": 0}}
    found = evaluate({"q1": [("a", 1.0)], "q2": []}, judged)
    assert found.metrics == DEFAULT_METRICS
    assert [found.mean(metric) for metric in DEFAULT_METRICS] == [0.25, 0.25, 0.25]
    assert found.per_query()["q3"] == {"hit@1": 0.0, "hit@10": 0.0, "MRR@10": 0.0}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_query_with_negative_grades_only_counts_as_zero(place: int) -> None:
    """trec_eval's code ends the process on such a query, if it is not the first."""
    judged = [("q1", {"a": 1}), ("q3", {"c": 1, "d": -1})]
    judged.insert(place, ("q2", {"b": -2, "c": -100_000_000}))
    run = {query_id: [("a", 3.0), ("b", 2.0), ("c", 1.0)] for query_id, _ in judged}
    found = evaluate(run, dict(judged), ["hit@1", "MRR@10", "recall@10", "nDCG@10"])
    assert found.per_query()["q2"] == dict.fromkeys(found.metrics, 0.0)
    assert found.per_query()["q1"] == dict.fromkeys(found.metrics, 1.0)


def test_what_native_code_could_choke_on() -> None:
    ids = ["", "nul\0", "\ud800", "a b", "x" * 10_000, "<none>", "é"]
    run = {one: [(other, float("nan")) for other in ids] for one in ids}
    judged = {one: {other: rank for rank, other in enumerate(ids)} for one in ids}
    found = evaluate(run, judged, ["hit@1", "hit@999999", "nDCG@999999", "MRR@999999", "recall@999999"])
    assert found.values[:, 1:].min() > 0
    assert found.values[:, 0].max() == 0
    with pytest.raises(InputError, match=r"query 'q', passage 'p': the grade 2147483648 is above 10,000"):
        evaluate({"q": []}, {"q": {"p": 2**31}})


def test_a_metric_named_twice_is_computed_once() -> None:
    found = evaluate({"q": [("a", 1.0)]}, {"q": {"a": 1}}, ["hit@1", "MRR@10", "hit@1"])
    assert found.metrics == ("hit@1", "MRR@10")
    assert found.values.tolist() == [[1.0, 1.0]]


def test_equal_scores_count_in_the_order_of_the_list() -> None:
    judged = {"q": {"a": 1}}
    assert evaluate({"q": [("a", 1.0), ("b", 1.0)]}, judged).mean("hit@1") == 1
    assert evaluate({"q": [("b", 1.0), ("a", 1.0)]}, judged).mean("hit@1") == 0


def test_the_order_of_metrics_asked_for_is_kept() -> None:
    found = evaluate({"q": [("b", 2.0), ("a", 1.0)]}, {"q": {"a": 1}}, ["nDCG@10", "hit@1", "recall@2"])
    assert_close(found.values[0], [1 / math.log2(3), 0.0, 1.0], relative=DOUBLE)


@pytest.mark.parametrize("name", ["recall", "hit@0", "hits@1", "mrr@10", "MRR@", "hit@1 ", "nDCG@-1", ""])
def test_unknown_metrics_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a metric; expected hit@k, MRR@k, recall@k or nDCG@k"):
        evaluate({"q": []}, {"q": {"a": 1}}, [name])


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(InputError, match="there are no judgements"):
        evaluate({"q": []}, {})
    with pytest.raises(InputError, match=r"the run has 'a', 'b', 'c', \.\.\., the judgements 'q'"):
        evaluate({"a": [], "b": [], "c": [], "d": []}, {"q": {"a": 1}})


def test_part_and_column() -> None:
    found = Evaluation(("hit@1",), ("a", "b", "c"), np.array([[1.0], [0.0], [1.0]]))
    assert found.part({"a", "b", "zz"}).query_ids == ("a", "b")
    assert found.part({"a", "b"}).mean("hit@1") == 0.5
    assert found.part([]).mean("hit@1") == 0.0
    with pytest.raises(UsageError, match="hit@10 was not computed; there are hit@1"):
        found.mean("hit@10")


def test_seen_queries_share_a_relevant_passage_with_training() -> None:
    trained = {"t1": {"a": 1, "x": 0}, "t2": {"b": 2}}
    judged = {"q1": {"a": 1}, "q2": {"x": 1}, "q3": {"b": 0, "c": 1}, "q4": {"c": 1, "b": 1}}
    assert seen_queries(judged, trained) == {"q1", "q4"}
