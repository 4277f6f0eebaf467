"""Several runs on the same queries: which differ, with tests corrected for their number, and in which queries.

Knows evaluations only. Correction: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
Scandinavian Journal of Statistics 6, 1979.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from docid.figure_file import figure_file
from genret.errors import InputError
from genret.evaluation.metrics import Evaluation
from genret.evaluation.significance import Comparison, compare, interval

__all__ = ["Change", "PairComparison", "compare_all", "draw_runs", "holm", "mean_of_runs", "most_changed"]

INCHES_PER_RUN = 0.35


@dataclass(frozen=True)
class PairComparison:
    """Two of several runs by one metric; `comparison` is of the second against the first.

    Attributes:
        corrected: the p-value after Holm's correction for all pairs of runs and all metrics.
    """

    first: str
    second: str
    comparison: Comparison
    corrected: float


@dataclass(frozen=True)
class Change:
    """One query with the values of one metric in each run, in their order."""

    query_id: str
    values: tuple[float, ...]


def compare_all(evaluations: Mapping[str, Evaluation]) -> list[PairComparison]:
    """Every pair of runs by every metric they have, pairs in the order of the runs.

    Raises:
        InputError: they were not scored on the same queries.
    """
    metrics = next(iter(evaluations.values())).metrics
    pairs = [
        (first, second, compare(evaluations[first], evaluations[second], metric))
        for metric in metrics
        for first, second in combinations(evaluations, 2)
    ]
    corrected = holm([comparison.p_value for _, _, comparison in pairs])
    return [PairComparison(*pair, value) for pair, value in zip(pairs, corrected, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected p-values: all those at most alpha hold together with an error rate of at most alpha.

    The i-th smallest of n is multiplied by n - i (from 0), and no value is below that of a smaller one.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    rising = np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(rising, 1.0)
    return [float(value) for value in corrected]


def mean_of_runs(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Each query's mean over several runs of one system, such as those of several seeds.

    Raises:
        InputError: they were not scored on the same queries, or by the same metrics.
    """
    first = evaluations[0]
    if any((one.query_ids, one.metrics) != (first.query_ids, first.metrics) for one in evaluations):
        raise InputError(
            "runs were scored on different queries or metrics; score all on the same judgements."
        )
    return Evaluation(first.metrics, first.query_ids, np.mean([one.values for one in evaluations], axis=0))


def most_changed(evaluations: Mapping[str, Evaluation], metric: str, count: int) -> list[Change]:
    """The queries whose values by `metric` lie furthest apart, equal ones in the order of the judgements.

    Queries with the same value in every run are left out.
    """
    columns = np.stack([evaluation.column(metric) for evaluation in evaluations.values()], axis=1)
    spread = np.ptp(columns, axis=1)
    query_ids = next(iter(evaluations.values())).query_ids
    order = np.argsort(-spread, kind="stable")[:count]
    return [
        Change(query_ids[row], tuple(map(float, columns[row]))) for row in order.tolist() if spread[row] > 0
    ]


def draw_runs(evaluations: Mapping[str, Evaluation], path: str | os.PathLike[str]) -> None:
    """Write a figure with a panel for each metric: every run's mean with its 95 % interval.

    Raises:
        UsageError: matplotlib is not installed.
        InputError: it cannot write this kind of file.
    """
    metrics = next(iter(evaluations.values())).metrics
    size = (1.5 + 2.5 * len(metrics), 1.0 + INCHES_PER_RUN * len(evaluations))
    with figure_file(path, size) as figure:
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            _draw_metric(axes, metric, evaluations)


def _draw_metric(axes: Any, metric: str, evaluations: Mapping[str, Evaluation]) -> None:
    found = [interval(evaluation.column(metric)) for evaluation in evaluations.values()]
    places = range(len(found), 0, -1)
    means = [one.mean for one in found]
    low, high = [one.mean - one.low for one in found], [one.high - one.mean for one in found]
    axes.errorbar(means, places, xerr=[low, high], fmt="o", capsize=3)
    axes.set(title=metric, yticks=list(places), yticklabels=list(evaluations))
    axes.grid(axis="x", alpha=0.3)
