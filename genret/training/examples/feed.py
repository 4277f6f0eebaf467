"""What each step trains on: this process's micro-batches of it, and where the run stands in its data.

Knows examples, mixtures and processes; knows no model. The examples of a step do not depend on how many processes
share it: process r of n takes every n-th of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from genret.errors import InputError
from genret.training.engines.processes import World
from genret.training.examples.batch import Batch, collate
from genret.training.examples.example import Example
from genret.training.examples.mixture import Mixture, MixtureOptions
from genret.training.loop.training_options import TrainingOptions

__all__ = ["ExampleFeed", "Feed", "check_divides", "shares"]

T = TypeVar("T")
# Steps of examples that are sorted by length together.
POOL = 16


class Feed(Protocol):
    """Where batches come from.

    Attributes:
        identity: what must be the same in a resumed run, or its steps would see other examples; JSON-able.
    """

    identity: dict[str, Any]

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of a step; steps are asked for in order."""
        ...

    def state(self) -> dict[str, Any]:
        """Where the data stands before the next step; JSON-able."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        ...

    def seen(self, step: int) -> dict[str, Any]:
        """For the metrics: `examples`, `drawn` from each source and `epochs` of it, after `step` steps."""
        ...


class ExampleFeed:
    """Steps of `batch_size` examples from lists in memory: a function of (seed, step).

    Args:
        sources: examples by the name of their source.
        ratios: each source's share of the examples seen.
        mixing: how ratios become shares, and how much of a source an epoch is.
        pad_token_id: pads targets.

    Raises:
        InputError: a step has fewer examples than there are micro-batches over all processes.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Example]],
        ratios: Mapping[str, float],
        options: TrainingOptions,
        *,
        pad_token_id: int,
        device: torch.device | str = "cpu",
        world: World | None = None,
        mixing: MixtureOptions | None = None,
    ) -> None:
        sizes = {name: len(examples) for name, examples in sources.items()}
        self.mixture = Mixture(sizes, ratios, seed=options.seed, options=mixing)
        self.sources, self.pad_token_id, self.device = sources, pad_token_id, device
        self.batch_size, self.world = options.batch_size, world or World()
        self.micro_batches = options.gradient_accumulation_steps
        check_divides("batch_size", self.batch_size, self.world, self.micro_batches)
        self.seed, self.group_by_length = options.seed, options.group_by_length
        self._pool = lru_cache(maxsize=1)(self._sorted_pool)
        self.identity = {
            "seed": options.seed,
            "batch_size": options.batch_size,
            "group_by_length": options.group_by_length,
            **self.mixture.identity,
        }

    def examples(self, step: int) -> list[Example]:
        """All examples of a step."""
        if not self.group_by_length:
            return self._drawn(step, self.batch_size)
        pool, place = divmod(step, POOL)
        return self._pool(pool)[place]

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of a step."""
        return [
            collate(part, self.pad_token_id, step=step, device=self.device)
            for part in shares(self.examples(step), self.world, self.micro_batches)
        ]

    def _drawn(self, step: int, size: int) -> list[Example]:
        return [self.sources[name][row] for name, row in self.mixture.batch(step, size)]

    def _sorted_pool(self, pool: int) -> list[list[Example]]:
        """The next `POOL` steps' examples: alike in length within a step, the steps in random order."""
        drawn = sorted(
            self._drawn(pool, self.batch_size * POOL), key=lambda one: (len(one.source), len(one.target))
        )
        order = np.random.default_rng([self.seed, 5, pool]).permutation(POOL)
        return [drawn[place * self.batch_size :][: self.batch_size] for place in order.tolist()]

    def state(self) -> dict[str, Any]:
        """Nothing: the step says it all."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""

    def seen(self, step: int) -> dict[str, Any]:
        """`examples` so far, `drawn` from each source and `epochs` of it."""
        position = step * self.batch_size
        epochs = {name: round(value, 4) for name, value in self.mixture.epochs(position).items()}
        return {"examples": position, "drawn": self.mixture.counts(position), "epochs": epochs}


def shares(items: Sequence[T], world: World, micro_batches: int) -> list[Sequence[T]]:
    """This process's part of a step's items, one for each micro-batch.

    Items sorted by length stay sorted, and all parts are alike.
    """
    parts = world.size * micro_batches
    return [items[world.rank + world.size * micro :: parts] for micro in range(micro_batches)]


def check_divides(name: str, size: int, world: World, micro_batches: int) -> None:
    """Refuse a step with less than one example for each micro-batch of each process."""
    parts = world.size * micro_batches
    if size < parts:
        raise InputError(
            f"{name}: a step has {size} examples for {world.size} processes with {micro_batches} micro-batches each; "
            f"expected at least {parts}. Raise {name} or lower gradient_accumulation_steps."
        )
