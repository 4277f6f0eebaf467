"""Whether what a run has learned is worth keeping: which step evaluated best, and whether its weights are sound.

Knows numbers by name, an engine and the last batch of which the step was finite; knows no file and no metric. A rate
that is too high ruins weights in one step, and the loss of that step, from before it, tells nothing: what tells is that
batch's loss, and its gradient, with the weights as they are now. Whether each number is finite is looked at where they
are written (`state_files`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from genret.errors import InputError
from genret.training.engines.engine import Engine
from genret.training.engines.processes import World
from genret.training.examples.batch import Batch, Trainable
from genret.training.loop.training_options import TrainingOptions

__all__ = ["Evaluate", "Selection", "Soundness"]

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


class Soundness:
    """Follows the steps of a run.

    Attributes:
        step: the last step that changed the weights, counted from 1; 0 before the first.
        skips: steps since then, which were not finite.
    """

    def __init__(self, engine: Engine, world: World) -> None:
        self.engine, self.world = engine, world
        self.step = 0
        self.skips = 0
        self._batch: Batch | None = None

    def finite(self, step: int, batch: Batch) -> None:
        """Step `step`, of which `batch` is a part, changed the weights."""
        self.step, self.skips, self._batch = step, 0, batch

    def skipped(self) -> None:
        """A step was not finite and changed nothing."""
        self.skips += 1

    def holds(self) -> bool:
        """Whether that batch has a finite loss and gradient in every process; all of them ask at once.

        Draws no random numbers that training would have drawn. True before the first step: what a run begins with
        is not its doing.
        """
        ruined = 0.0
        if self._batch is not None:
            with self.engine.whole(), torch.random.fork_rng():
                ruined = float(not _goes_on(self.engine.module, self._batch))
        elif self.skips:
            ruined = 1.0
        return self.world.sum([ruined])[0] == 0


def _goes_on(module: Trainable, batch: Batch) -> bool:
    """Whether a step on the batch would be finite; leaves no gradient behind."""
    loss = module(batch).total
    if not loss.isfinite():
        return False
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    dense = (one.coalesce().values() if one.is_sparse else one for one in gradients if one is not None)
    return all(bool(one.isfinite().all()) for one in dense)
