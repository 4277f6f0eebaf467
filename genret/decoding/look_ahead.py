"""A bonus for prefixes that helps them to stay alive; knows what the caller thinks of a prefix, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from genret.constraint import State
from genret.decoding.steps.strategy import SortKeys, StepOptions, StepStrategy

__all__ = ["Bonus", "LookAhead"]

# queries int64 [n], prefixes int64 [n, t] (the new token is the last), the constraint's states behind them ->
# float32 [n]
Bonus: TypeAlias = Callable[[Tensor, Tensor, State], Tensor]


class LookAhead(StepStrategy):
    """Beam search that keeps the greatest sums of log-probability and bonus, and ranks by log-probability.

    What planning-ahead retrieval needs (Zeng et al. 2024, section 3.2): documents that a first, simultaneous
    pass finds good lift the prefixes of their docids.
    """

    def __init__(self, bonus: Bonus) -> None:
        self.bonus = bonus

    def keys(self, options: StepOptions) -> SortKeys:
        """See `StepStrategy.keys`."""
        candidates = options.candidates
        queries = options.beams.numbers[options.positions]
        prefixes = torch.cat([options.beams.tokens[candidates.rows], candidates.tokens[:, None]], 1)
        bonus = self.bonus(queries, prefixes, options.states())
        # Chosen by the sum of both, ranked without: two searches of one docid give it the same score.
        return SortKeys(options.totals + bonus.to(options.totals), options.totals)
