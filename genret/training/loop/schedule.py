"""The learning rate as a function of how much of the budget is spent.

Knows fractions only: whether the budget is steps or seconds is the trainer's matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from genret.errors import InputError

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up to `peak`, then decay to `final` times `peak`.

    Attributes:
        peak: the highest learning rate.
        warmup: fraction of the budget spent warming up, 0 up to 1 (1 excluded).
        decay: how the rest goes down; "constant" does not.
        final: the last learning rate, as a fraction of `peak`.
    """

    peak: float
    warmup: float = 0.05
    decay: Literal["linear", "cosine", "constant"] = "linear"
    final: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise InputError(
                f"warmup: expected a fraction of the budget from 0 up to 1, found {self.warmup}."
            )
        if not self.peak > 0:
            raise InputError(f"learning_rate: expected a number above 0, found {self.peak}.")

    def learning_rate(self, spent: float) -> float:
        """The learning rate after the fraction `spent` (0 to 1; more counts as 1) of the budget."""
        if spent < self.warmup:
            return self.peak * spent / self.warmup
        rest = min((spent - self.warmup) / (1 - self.warmup), 1.0)
        return self.peak * (self.final + (1 - self.final) * self._remaining(rest))

    def _remaining(self, rest: float) -> float:
        if self.decay == "constant":
            return 1.0
        return 1.0 - rest if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * rest))
