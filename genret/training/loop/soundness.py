"""Whether what a run has learned is still worth keeping.

Knows an engine, processes and the last batch of which the step was finite; knows no file. A rate that is too high
ruins weights in one step, and the loss of that step, from before it, tells nothing: what tells is that batch's loss,
and its gradient, with the weights as they are now. Whether each number is finite is looked at where they are written (`state_files`).
"""

from __future__ import annotations

from typing import Any

import torch

from genret.training.engines.processes import World
from genret.training.engines.torch_engine import Engine
from genret.training.examples.batch import Batch

__all__ = ["Soundness"]


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


def _goes_on(module: Any, batch: Batch) -> bool:
    """Whether a step on the batch would be finite; leaves no gradient behind."""
    loss = module(batch).total
    if not loss.isfinite():
        return False
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    dense = (one.coalesce().values() if one.is_sparse else one for one in gradients if one is not None)
    return all(bool(one.isfinite().all()) for one in dense)
