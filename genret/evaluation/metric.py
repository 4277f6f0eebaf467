"""A metric of somebody else: a value of one query's hits under its judgements. Knows ids and grades."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genret.config import Count
from genret.corpus.formats.datafile import show
from genret.errors import InputError, UsageError
from genret.plugins import Door

__all__ = ["METRIC_DOOR", "Metric", "make_metric", "value_of"]

NAMED = re.compile(r"(.+?)(?:@([1-9][0-9]{0,5}))?")


@dataclass(frozen=True)
class Metric(ABC):
    """What a name such as `package.module:Class@10` leads to; a frozen dataclass.

    Attributes:
        cutoff: the number after @ in the name, which says how many hits are given; None, and all of them, without one.
    """

    cutoff: Count | None = None

    @abstractmethod
    def value(self, passage_ids: Sequence[str], grades: Mapping[str, int]) -> float:
        """How good one query's hits are, from 0 to 1.

        Args:
            passage_ids: its hits, best first; none where the run lacks the query.
            grades: passage id to grade, of all its judgements.
        """


METRIC_DOOR: Door[Metric] = Door("metric", {}, Metric)


def make_metric(name: str) -> Metric | None:
    """The metric of a name that is none of ours; None where no entry point has it.

    Raises:
        UsageError: what it leads to cannot be imported, or is no metric.
    """
    matched = NAMED.fullmatch(name)
    if matched is None:
        return None
    kind, cutoff = matched[1], matched[2]
    try:
        if ":" not in kind and METRIC_DOOR.found(kind, "metric") is None:
            return None
        return METRIC_DOOR.make(kind, {} if cutoff is None else {"cutoff": int(cutoff)}, "metric")
    except InputError as error:
        raise UsageError(str(error)) from error


def value_of(
    metric: Metric, name: str, query_id: str, hits: Sequence[str], grades: Mapping[str, int]
) -> float:
    """The metric's value for one query.

    Raises:
        InputError: it is no number from 0 to 1.
    """
    value = metric.value(hits[: metric.cutoff], grades)
    if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"{name}: of query {show(query_id)} it is {value!r}; expected a number from 0 to 1.")
    return float(value)
