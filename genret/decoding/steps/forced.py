"""Runs: steps at which every live beam has one legal token, so that nothing is chosen and nothing can end.

Knows a constraint and token ids; knows no model. URLs below one address have one at their root, and a search
with one beam has many. Its tokens go through the model in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genret.constraint import Constraint, State
from genret.constraint.protocol import Counting
from genret.decoding.steps.beams import Beams

__all__ = ["ForcedRun", "run_of"]


@dataclass(frozen=True)
class ForcedRun:
    """What all live beams must take next.

    Attributes:
        tokens: int64 [rows, n], n at least 1; no end token among them.
        state: of the constraint, behind them.
        sizes: for each query the number of successors behind them; see `Beams`.
    """

    tokens: Tensor
    state: State
    sizes: list[int]

    def behind(self, beams: Beams, log_probs: Tensor) -> Beams:
        """`beams` once they have taken the run, whose tokens have `log_probs`, float32 [rows, n]."""
        scores = beams.scores
        for column in log_probs.unbind(1):
            # Token by token, as single steps would add them.
            scores = scores + column
        return replace(
            beams,
            scores=scores,
            tokens=torch.cat([beams.tokens, self.tokens], 1),
            log_probs=torch.cat([beams.log_probs, log_probs], 1),
            state=self.state,
            sizes=self.sizes,
        )


def run_of(constraint: Constraint, beams: Beams, eos: int, most: int) -> ForcedRun | None:
    """The run that begins behind `beams`, of at most `most` tokens; None where there is none.

    That there is none costs nothing: the sizes of `beams` tell. Each token of a run waits for the device once.
    """
    if not isinstance(constraint, Counting) or beams.sizes is None:
        return None
    every = torch.arange(len(beams.tokens), device=beams.tokens.device)
    columns: list[Tensor] = []
    state, sizes = beams.state, beams.sizes
    while sum(sizes) == len(every) and len(columns) < most:
        found = constraint.successors(state, len(every))
        if len(found.tokens) != len(every):
            break  # a filter has left fewer
        single = (found.offsets[1:] == every + 1).all() & (found.tokens != eos).all()
        moved = constraint.advance(found, every)
        totals = torch.zeros_like(beams.numbers).index_add_(0, beams.positions, constraint.counts(moved))
        forced, *next_sizes = torch.cat([single[None].to(totals), totals]).tolist()
        if not forced:
            break
        columns.append(found.tokens)
        state, sizes = moved, next_sizes
    return ForcedRun(torch.stack(columns, 1), state, sizes) if columns else None
