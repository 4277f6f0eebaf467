"""Which step evaluated best, and when to stop looking for a better one.

Knows numbers by name; knows nothing of how they are measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from genret.errors import InputError
from genret.training.loop.training_options import TrainingOptions

__all__ = ["Evaluate", "Selection"]

Evaluate = Callable[[], dict[str, float]]


class Selection:
    """Evaluates every `eval_steps` steps and keeps the best; larger is better.

    Attributes:
        best_step, best_value: of the evaluation with the highest `metric_for_best_model`; None before the first.
    """

    def __init__(self, options: TrainingOptions, evaluate: Evaluate | None) -> None:
        self.every = options.eval_steps if evaluate is not None else 0
        self.metric, self.patience = options.metric_for_best_model, options.early_stopping_patience
        self._evaluate = evaluate
        self.best_step: int | None = None
        self.best_value: float | None = None
        self._before: tuple[int | None, float | None] = None, None
        self._worse = 0

    @property
    def exhausted(self) -> bool:
        """Whether as many evaluations in a row as the patience allows were not better."""
        return self.patience is not None and self._worse >= self.patience

    def due(self, step: int) -> bool:
        """Whether to evaluate after `step` steps."""
        return self.every > 0 and step % self.every == 0

    def evaluate(self, step: int) -> dict[str, float]:
        """Measure, and remember whether it is the best so far.

        Raises:
            InputError: what is measured does not hold the metric to choose by.
        """
        assert self._evaluate is not None
        found = self._evaluate()
        if self.metric not in found:
            raise InputError(
                f"metric_for_best_model: found {self.metric!r}, evaluation gives {', '.join(sorted(found))}."
            )
        # NaN is above nothing, not even above nothing yet.
        if found[self.metric] > (-math.inf if self.best_value is None else self.best_value):
            self._before = self.best_step, self.best_value
            self.best_step, self.best_value, self._worse = step, found[self.metric], 0
        else:
            self.miss()
        return found

    def withdraw(self) -> None:
        """The evaluation that was best so far was of a ruined model: the best is what it was before."""
        self.best_step, self.best_value = self._before
        self.miss()

    def miss(self) -> None:
        """A model that cannot be evaluated is not better."""
        self._worse += 1

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {"best_step": self.best_step, "best_value": self.best_value, "worse": self._worse}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises:
            ValueError: it is no such state.
        """
        step, value, worse = state["best_step"], state["best_value"], state["worse"]
        found = type(step) is int and type(value) in (int, float) if step is not None else value is None
        if not found or type(worse) is not int or worse < 0:
            raise ValueError("the best step, or its value, is none")
        self.best_step, self.best_value, self._worse = state["best_step"], state["best_value"], state["worse"]
