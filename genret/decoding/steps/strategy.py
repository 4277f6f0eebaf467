"""By what candidates are chosen and hypotheses ranked: the part of a search that differs from kind to kind.

Knows scores of candidates; knows nothing of the model or of how a search moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genret.constraint import Constraint, State, Successors
from genret.constraint.ragged_tensors import best_of_groups, grid_of_groups
from genret.decoding.steps.beams import Beams
from genret.decoding.steps.candidates import Candidates

__all__ = ["SortKeys", "StepOptions", "StepStrategy"]


@dataclass(frozen=True)
class StepOptions:
    """One step's candidates, as a strategy sees them.

    Attributes:
        beams: the live beams that they continue.
        candidates: the continuations; `firsts[i]:firsts[i + 1]` belong to query i of `beams`.
        totals: float32 [m]; the sums of log-probabilities, this token included.
        successors: what `constraint.advance` takes with `candidates.edges`.
        constraint: the constraint.
        ends: bool [m]; which candidates are the end token.
        width: at least the most candidates of a query.
    """

    beams: Beams
    candidates: Candidates
    totals: Tensor
    successors: Successors
    constraint: Constraint
    ends: Tensor
    firsts: Tensor
    width: int

    @property
    def positions(self) -> Tensor:
        """int64 [m]; the position in `beams.queries` of each candidate's query."""
        return self.beams.positions[self.candidates.rows]

    def states(self) -> State:
        """The constraint's state behind every candidate."""
        return self.constraint.advance(self.successors, self.candidates.edges)


@dataclass(frozen=True)
class SortKeys:
    """What decides about candidates.

    Attributes:
        selection: float32 [m]; the greatest stay alive; -inf: never.
        ranking: float32 [m]; what finished hypotheses are ranked by. It never rises along a hypothesis, which
            is what allows an early stop.
        extra: float32 [m, n]; carried along with what is chosen, or None.
    """

    selection: Tensor
    ranking: Tensor
    extra: Tensor | None = None


class StepStrategy:
    """Beam search: the greatest sums of log-probabilities."""

    # The searches that each query is split into; they have their own beams and their own results.
    parts = 1
    # Whether the parts of a query know nothing of each other, so that one may finish before the others.
    independent = True

    def keys(self, options: StepOptions) -> SortKeys:
        """What candidates are chosen and ranked by."""
        return SortKeys(options.totals, options.totals)

    def choose(self, options: StepOptions, keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The best `count` candidates of each query by `keys` (float32 [m]).

        Returns:
            entries int64 [queries, count], ascending, and which of them are meant, bool [queries, count].
        """
        grid = grid_of_groups(keys, options.firsts[:-1], options.positions, options.width)
        columns, meant = best_of_groups(grid, count)
        return (options.firsts[:-1, None] + columns) * meant, meant

    def completed(self, beams: Beams, totals: Tensor) -> Tensor:
        """The ranking of beams that have nothing left to choose and end with the sums `totals`: [rows]."""
        return totals

    def start(self, rows: int, device: torch.device) -> Tensor | None:
        """`extra` of the first beams."""
        return None
