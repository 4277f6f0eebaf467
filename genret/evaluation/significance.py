"""How sure a mean is, and whether two runs differ: bootstrap intervals and a paired randomisation test.

Knows per-query values only. Bootstrap over queries, percentile intervals: T. Sakai, "Evaluating Evaluation Metrics
Based on the Bootstrap", SIGIR 2006. Randomisation test: M. Smucker, J. Allan and B. Carterette, "A Comparison of
Statistical Significance Tests for Information Retrieval Evaluation", CIKM 2007. Both are seeded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genret.errors import InputError
from genret.evaluation.metrics import Evaluation

__all__ = ["Comparison", "Interval", "compare", "interval"]

LEVEL = 0.95
SAMPLES = 2_000
PERMUTATIONS = 10_000
SEED = 0
# Random numbers drawn at a time: bounds memory, whatever the number of queries.
DRAWS = 1 << 22

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and the interval that holds 95 % of the means of resampled queries."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same queries, by one metric.

    Attributes:
        difference: mean of the second minus mean of the first, with its interval.
        p_value: two-sided; the share of random swaps of the two runs' values, query by query, that differ as much.
        wins, losses, ties: in how many queries the second is better, worse, equal.
    """

    metric: str
    difference: Interval
    p_value: float
    wins: int
    losses: int
    ties: int


def interval(values: FloatArray, *, seed: int = SEED) -> Interval:
    """The mean of per-query values (float64 [n]) with its 95 % bootstrap interval; zeros when n is 0."""
    if not len(values):
        return Interval(0.0, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [values[rng.integers(len(values), size=shape)].mean(1) for shape in _shapes(SAMPLES, len(values))]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def compare(first: Evaluation, second: Evaluation, metric: str, *, seed: int = SEED) -> Comparison:
    """Whether `second` is better than `first`, query by query.

    Raises:
        InputError: they are not about the same queries.
    """
    if first.query_ids != second.query_ids:
        raise InputError("the two runs were scored on different queries; score both on the same judgements.")
    change = second.column(metric) - first.column(metric)
    return Comparison(
        metric,
        interval(change, seed=seed),
        _randomisation(change, seed),
        wins=int((change > 0).sum()),
        losses=int((change < 0).sum()),
        ties=int((change == 0).sum()),
    )


def _randomisation(change: FloatArray, seed: int) -> float:
    """The two-sided p-value under random signs; the observed signs count as one of the permutations."""
    change = change[change != 0]
    if not len(change):
        return 1.0
    rng = np.random.default_rng(seed)
    observed = abs(change.sum()) * (1 - 1e-12)
    extreme = 0
    for shape in _shapes(PERMUTATIONS, len(change)):
        signs = rng.integers(2, size=shape, dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ change) >= observed).sum())
    return (extreme + 1) / (PERMUTATIONS + 1)


def _shapes(samples: int, width: int) -> Iterator[tuple[int, int]]:
    """`samples` rows of `width` numbers in blocks of at most about DRAWS numbers."""
    rows = max(1, DRAWS // width)
    for begin in range(0, samples, rows):
        yield min(rows, samples - begin), width
