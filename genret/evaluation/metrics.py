"""How good a run is against judgements: per-query values, means, and parts of the queries.

Knows ids and grades; knows nothing of models or texts. The values come from ir-measures (S. MacAvaney et al.,
"Streamlining Evaluation with ir-measures", ECIR 2022), which computes them through trec_eval. Every judged query
counts, as with trec_eval's `-c`: one that the run lacks, that has no hits, or that has no relevant passage, has the
value 0. A negative grade counts as 0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genret.corpus import Judgements, Run
from genret.corpus.formats.datafile import show
from genret.errors import InputError, UsageError
from genret.evaluation.metric import METRIC_DOOR, Metric, make_metric, value_of

__all__ = ["DEFAULT_METRICS", "Evaluation", "evaluate", "parse_metric", "seen_queries"]

DEFAULT_METRICS = ("hit@1", "hit@10", "MRR@10")
# Our names, and those of ir-measures for the same thing.
MEASURES = {"hit": "Success", "MRR": "RR", "recall": "R", "nDCG": "nDCG"}
# trec_eval's time and memory grow with the largest grade, not with the number of grades.
LARGEST_GRADE = 10_000
METRIC = re.compile(r"(hit|MRR|recall|nDCG)@([1-9][0-9]{0,5})")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """The values of some metrics for each judged query.

    Attributes:
        metrics: their names, as asked for.
        query_ids: the judged queries, in the order of the judgements.
        values: float64 [queries, metrics], each between 0 and 1.
    """

    metrics: tuple[str, ...]
    query_ids: tuple[str, ...]
    values: FloatArray

    def mean(self, metric: str) -> float:
        """The mean over all queries of this evaluation; 0 when it has none."""
        column = self.column(metric)
        return float(column.mean()) if len(column) else 0.0

    def column(self, metric: str) -> FloatArray:
        """One metric's values, float64 [queries]."""
        if metric not in self.metrics:
            raise UsageError(f"{metric} was not computed; there are {', '.join(self.metrics)}.")
        return self.values[:, self.metrics.index(metric)]

    def part(self, query_ids: Collection[str]) -> Evaluation:
        """The same evaluation over those of its queries that are in `query_ids`."""
        wanted = set(query_ids)
        rows = [row for row, query_id in enumerate(self.query_ids) if query_id in wanted]
        return Evaluation(self.metrics, tuple(self.query_ids[row] for row in rows), self.values[rows])

    def per_query(self) -> dict[str, dict[str, float]]:
        """query_id -> metric -> value."""
        return {
            query_id: dict(zip(self.metrics, map(float, row), strict=True))
            for query_id, row in zip(self.query_ids, self.values, strict=True)
        }


def evaluate(run: Run, judgements: Judgements, metrics: Sequence[str] = DEFAULT_METRICS) -> Evaluation:
    """Score a run; its hits count in the order of its lists.

    Metrics of ours (a guest's: see `Metric`): `hit@k` (1 if a relevant passage is among the first k), `MRR@k` (1 / rank of the first relevant
    passage, 0 if beyond k), `recall@k` (the share of the relevant passages among the first k) and `nDCG@k`
    (gains are grades, discounts are log2); trec_eval calls them success_k, recip_rank of the first k hits,
    recall_k and ndcg_cut_k. A grade above 0 is relevant. Queries of the run without judgements are ignored.

    Raises:
        UsageError: a metric's name is not one of these.
        InputError: there are no judgements, the run and the judgements have no query in common, or a grade is above
            10,000.
    """
    names = tuple(dict.fromkeys(metrics))
    parsed = [parse_metric(name) for name in names]
    _check_common(run, judgements)
    values = np.zeros((len(judgements), len(names)))
    measures = {one: column for column, one in enumerate(parsed) if not isinstance(one, Metric)}
    depth = max((measure.params["cutoff"] for measure in measures), default=0)
    for found in _calculate(list(measures), list(judgements.items()), run, depth):
        values[int(found.query_id), measures[found.measure]] = found.value
    for column, one in enumerate(parsed):
        if isinstance(one, Metric):
            values[:, column] = _asked(one, names[column], run, judgements)
    return Evaluation(names, tuple(judgements), values)


def _asked(metric: Metric, name: str, run: Run, judgements: Judgements) -> list[float]:
    """A guest's metric of every judged query."""
    hits = {query_id: [passage_id for passage_id, _ in run.get(query_id, [])] for query_id in judgements}
    return [
        value_of(metric, name, query_id, hits[query_id], grades) for query_id, grades in judgements.items()
    ]


def parse_metric(name: str) -> Any:
    """The ir-measures object for one of our metric names, or a guest's `Metric`.

    Raises:
        UsageError: the name is neither's.
    """
    import ir_measures

    match = METRIC.fullmatch(name)
    if match is None:
        if metric := make_metric(name):
            return metric
        raise UsageError(
            f"{show(name)} is not a metric; expected hit@k, MRR@k, recall@k or nDCG@k, such as hit@1 or MRR@10, "
            f"or {', '.join([*METRIC_DOOR.offers(), 'package.module:Name@k'])}."
        )
    return ir_measures.parse_measure(f"{MEASURES[match[1]]}@{match[2]}")


def seen_queries(judgements: Judgements, trained_on: Judgements) -> set[str]:
    """The queries of `judgements` with a relevant passage that some query of `trained_on` is about as well."""
    seen = {passage_id for grades in trained_on.values() for passage_id in _relevant(grades)}
    return {query_id for query_id, grades in judgements.items() if not seen.isdisjoint(_relevant(grades))}


def _relevant(grades: dict[str, int]) -> Iterable[str]:
    return (passage_id for passage_id, grade in grades.items() if grade > 0)


def _calculate(
    measures: list[Any], judged: list[tuple[str, dict[str, int]]], run: Run, depth: int
) -> Iterable[Any]:
    """ir-measures' values; each query is named by its place.

    Of what a user gave only numbers reach the code below, which is native: trec_eval ends the process on queries
    without a grade above -2, and counts up to the largest grade. Passages are named by their places in the list, and
    scores are places from its end, so that the order is the list's. Queries without a relevant passage are left out.
    """
    import ir_measures

    placed, graded = {}, {}
    for row, (query_id, grades) in enumerate(judged):
        relevant = {
            passage_id: _grade(query_id, passage_id, grade)
            for passage_id, grade in grades.items()
            if grade > 0
        }
        hits = [passage_id for passage_id, _ in run.get(query_id, [])[:depth]]
        if relevant and hits:
            places = {passage_id: str(place) for place, passage_id in enumerate(hits)}
            placed[str(row)] = {place: float(len(hits) - int(place)) for place in places.values()}
            graded[str(row)] = {
                places.get(passage_id, f"not found {index}"): grade
                for index, (passage_id, grade) in enumerate(relevant.items())
            }
    found: Iterable[Any] = ir_measures.iter_calc(measures, graded, placed) if placed else ()
    return found


def _grade(query_id: str, passage_id: str, grade: int) -> int:
    if grade > LARGEST_GRADE:
        raise InputError(
            f"query {show(query_id)}, passage {show(passage_id)}: the grade {grade} is above {LARGEST_GRADE:,}; "
            "judge by smaller grades."
        )
    return grade


def _check_common(run: Run, judgements: Judgements) -> None:
    if not judgements:
        raise InputError("there are no judgements to score the run against.")
    if run.keys().isdisjoint(judgements):
        raise InputError(
            f"the run and the judgements have no query in common: the run has {_some(run)}, the judgements "
            f"{_some(judgements)}; give the judgements of the queries that were searched."
        )


def _some(ids: Iterable[str]) -> str:
    listed = list(ids)
    return ", ".join(show(value) for value in listed[:3]) + (", ..." if len(listed) > 3 else "") or "none"
