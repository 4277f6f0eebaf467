"""Steps of a token budget over packed examples: alike in length, drawn by the mixture, shared by the processes.

Knows packed examples and mixtures; knows no model. The mixture's endless sequence is cut into pools; a pool's
examples are sorted by length and cut into steps of at most so many tokens, and the steps are shuffled. Which
examples a step holds depends on the seed alone, not on the number of processes or workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genret.errors import InputError
from genret.training.engines.processes import World
from genret.training.examples.batch import Batch, SourceTokens
from genret.training.examples.feed import check_divides, shares
from genret.training.examples.mixture import Drawn, Mixture, MixtureOptions
from genret.training.examples.packed import PackedExample, PackedExamples
from genret.training.loop.training_options import TrainingOptions

__all__ = ["PackedFeed", "budget_cuts"]

# A pool holds so many examples for each token of a step, about a thousand steps of short texts: with fewer, neighbours
# in order of length differ, and their padding passes 5 %.
POOL = 16
# A pool's last examples join the step before them when they are fewer than this share of it.
SMALL = 0.25


class PackedFeed:
    """Batches of packed examples, `batch_tokens` a step, padding included.

    Args:
        packed: tokenised examples.
        ratios: each source's share of the examples seen.
        mixing: how ratios become shares, and how much of a source an epoch is.
        pad_token_id: pads sources and targets; sources are read under a mask.

    Raises:
        InputError: `batch_tokens` is not given, or too small for one example for each micro-batch.
    """

    def __init__(
        self,
        packed: PackedExamples,
        ratios: Mapping[str, float],
        options: TrainingOptions,
        *,
        pad_token_id: int,
        device: torch.device | str = "cpu",
        world: World | None = None,
        mixing: MixtureOptions | None = None,
    ) -> None:
        if options.batch_tokens is None:
            raise InputError("batch_tokens: packed examples need a number of tokens a step; none is given.")
        self.packed, self.options, self.world = packed, options, world or World()
        self.mixture = Mixture(packed.sizes, ratios, seed=options.seed, options=mixing)
        self.pad_token_id, self.device = pad_token_id, device
        self.identity = {
            "seed": options.seed,
            "batch_tokens": options.batch_tokens,
            **self.mixture.identity,
        }
        self.pool_size = POOL * options.batch_tokens
        self._pool = self._place = self._examples = 0
        self._steps: list[list[Drawn]] = []

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of the next step."""
        draws = self.next_draws()
        micro_batches = self.options.gradient_accumulation_steps
        check_divides("batch_tokens", len(draws), self.world, micro_batches)
        return [self._collate(part, step) for part in shares(draws, self.world, micro_batches)]

    def next_draws(self) -> list[Drawn]:
        """What the next step holds, in all processes together, by length; the feed moves on."""
        if not self._steps:
            self._steps = self._cut(self._pool)
        draws = self._steps[self._place]
        self._place += 1
        self._examples += len(draws)
        if self._place == len(self._steps):
            self._pool, self._place, self._steps = self._pool + 1, 0, []
        return draws

    def state(self) -> dict[str, Any]:
        """Pool, step in it, and examples so far."""
        return {"pool": self._pool, "place": self._place, "examples": self._examples}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._pool, self._place, self._examples = state["pool"], state["place"], state["examples"]
        self._steps = self._cut(self._pool) if self._place else []

    def seen(self, step: int) -> dict[str, Any]:
        """`examples` so far, `drawn` from each source and `epochs` of it."""
        epochs = self.mixture.epochs(self._examples)
        return {
            "examples": self._examples,
            "drawn": self.mixture.counts(self._examples),
            "epochs": {name: round(value, 4) for name, value in epochs.items()},
        }

    def _cut(self, pool: int) -> list[list[Drawn]]:
        draws = self.mixture.batch(pool, self.pool_size)
        lengths = np.array([self.packed.lengths(*draw) for draw in draws])
        order = np.lexsort((np.arange(len(draws)), lengths[:, 1], lengths[:, 0]))
        assert self.options.batch_tokens is not None
        cuts = budget_cuts(lengths[order], self.options.batch_tokens)
        steps = [[draws[place] for place in order[a:b]] for a, b in pairwise(cuts)]
        np.random.default_rng([self.options.seed, 7, pool]).shuffle(steps)
        return steps

    def _collate(self, draws: Sequence[Drawn], step: int) -> Batch:
        examples = [self.packed.example(*draw) for draw in draws]
        sources, lengths = _padded([example.source for example in examples], self.pad_token_id)
        targets, target_lengths = _padded([example.target for example in examples], self.pad_token_id)
        weights = (torch.arange(targets.shape[1]) < target_lengths[:, None]).float()
        mask = torch.arange(sources.shape[1]) < lengths[:, None]
        return Batch(
            [],
            targets.to(self.device),
            weights.to(self.device),
            _documents(examples).to(self.device),
            [draw.source for draw in draws],
            step,
            SourceTokens(sources.to(self.device), mask.to(self.device)),
        )


def budget_cuts(lengths: npt.NDArray[np.int64], tokens: int) -> list[int]:
    """Where to cut examples into steps of at most `tokens` tokens each, padding included.

    Args:
        lengths: int64 [n, 2], source and target tokens, sorted by the first.

    Returns:
        Positions from 0 to n; examples between two of them make a step. One example longer than the budget makes
        a step by itself, and few last examples join the step before them, which may then hold a quarter more.
    """
    cuts, widest = [0], 0
    for place, (source, target) in enumerate(lengths.tolist()):
        widest = max(widest, target)
        if place > cuts[-1] and (place + 1 - cuts[-1]) * (source + widest) > tokens:
            cuts.append(place)
            widest = target
    cuts.append(len(lengths))
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < SMALL * (cuts[-2] - cuts[-3]):
        del cuts[-2]
    return cuts


def _padded(rows: Sequence[npt.NDArray[Any]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as int64 [n, longest], padded on the right, and their lengths."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    table = np.full((len(rows), int(lengths.max())), pad, np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return torch.from_numpy(table), torch.from_numpy(lengths)


def _documents(examples: Sequence[PackedExample]) -> torch.Tensor:
    return torch.tensor([example.document for example in examples], dtype=torch.int64)
