"""Sums since the last line of metrics, over all processes.

Knows numbers; the loss stays on its device until a line is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genret.training.engines.processes import World

__all__ = ["Window"]


class Window:
    """Loss, weight, largest gradient norm and last learning rate since the last line.

    Attributes:
        last_loss: mean loss of this process in the window; after `take`, of all.
    """

    def __init__(self) -> None:
        self.total: Tensor | float = 0.0
        self.weight = self.norm = self.rate = 0.0
        self.steps = 0
        self._taken = math.nan

    @classmethod
    def of(cls, state: Mapping[str, Any], world: World) -> Window:
        """What `state` gave, in the first process; the others begin with nothing."""
        window = cls()
        numbers = [state[name] for name in ("total", "weight", "norm", "rate", "steps")]
        if any(type(number) not in (int, float) for number in numbers):
            raise ValueError("a sum of the window is no number")
        window.norm, window.rate, window.steps = state["norm"], state["rate"], state["steps"]
        if world.is_first:
            window.total, window.weight = state["total"], state["weight"]
        return window

    @property
    def last_loss(self) -> float:
        """Loss per unit of weight."""
        return float(self.total) / self.weight if self.weight else self._taken

    def add(self, total: Tensor, weight: float, norm: float, rate: float) -> None:
        """Count a step: this process's sum of losses and its weight, the norm of all."""
        self.total = self.total + total
        self.weight += weight
        self.norm = max(self.norm, norm)
        self.rate = rate
        self.steps += 1

    def take(self, world: World) -> dict[str, float] | None:
        """The window's line of metrics, None when it is empty; the next window begins."""
        if not self.steps:
            return None
        total, weight = world.sum([float(self.total), self.weight])
        line = {"loss": total / weight, "gradient_norm": self.norm, "learning_rate": self.rate}
        self._taken = total / weight
        self.total = self.weight = self.norm = 0.0
        self.steps = 0
        return line

    def state(self, world: World) -> dict[str, float]:
        """All processes' sums, JSON-able."""
        total, weight = world.sum([float(self.total), self.weight])
        return {"total": total, "weight": weight, "norm": self.norm, "rate": self.rate, "steps": self.steps}
