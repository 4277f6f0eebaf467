"""Which candidates go on, and how: with the model, or to their end at once because nothing is left to choose.

Knows chosen candidates and what the host must know of them; knows no model and no scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

from genret.constraint import Constraint, State
from genret.constraint.protocol import Completing, Counting
from genret.decoding.steps.beams import Beams
from genret.decoding.steps.strategy import SortKeys, StepOptions, StepStrategy

__all__ = ["Choice", "Report"]


@dataclass(frozen=True)
class Report:
    """What the host knows of a step's chosen beams; fetching it is the step's one synchronisation.

    Attributes, one entry for each query:
        counts: its beams.
        sizes: the successors of its beams, or more; None where the constraint cannot count.
        idle: its beams that have one completion; all 0 where the constraint cannot tell.
        left: the most tokens to come of an idle beam.
        left_in_all: the tokens to come of all idle beams.
    """

    counts: list[int]
    sizes: list[int] | None
    idle: list[int]
    left: list[int]
    left_in_all: list[int]

    @classmethod
    def fetch(
        cls,
        options: StepOptions,
        entries: Tensor,
        meant: Tensor,
        constraint: Constraint,
        completing: Completing | None,
    ) -> Report:
        """Read what the chosen `entries` (int64 [queries, beams], where `meant`) lead to.

        Raises:
            FloatingPointError: a score is NaN.
        """
        state = constraint.advance(options.successors, options.candidates.edges[entries].flatten())
        # One tensor, so one wait: a transfer costs more than all these sums.
        columns = [meant.sum(1), options.totals.isnan().any().expand(len(meant))]
        none = torch.zeros_like(entries)
        sizes = constraint.counts(state).view_as(meant) if isinstance(constraint, Counting) else none
        # Entries that are not meant point at another beam's candidate, and must not count.
        left = none if completing is None else completing.remaining(state).view_as(meant) * meant
        columns += [(sizes * meant).sum(1), (left > 0).sum(1), left.amax(1), left.sum(1)]
        counts, broken, listed, idle, longest, in_all = torch.stack(columns).tolist()
        if broken[0]:
            raise FloatingPointError(
                f"the model's scores of token {options.beams.length + 1} are not numbers (NaN). Some models "
                "overflow in half precision: load this one in float32 or bfloat16, and check its weights."
            )
        return cls(counts, listed if isinstance(constraint, Counting) else None, idle, longest, in_all)

    def of(self, places: list[int]) -> Report:
        """The report of some of the queries."""
        lists = (self.counts, self.idle, self.left, self.left_in_all)
        counts, idle, left, in_all = ([values[place] for place in places] for values in lists)
        sizes = None if self.sizes is None else [self.sizes[place] for place in places]
        return Report(counts, sizes, idle, left, in_all)

    @property
    def longest(self) -> int:
        """The most tokens to come of any beam."""
        return max(self.left)

    @property
    def even(self) -> bool:
        """Whether all beams have the same number of tokens to come."""
        return sum(self.left_in_all) == sum(self.counts) * self.longest


@dataclass(frozen=True)
class Choice:
    """Chosen candidates, before the model has seen their tokens.

    Attributes:
        options: the candidates.
        keys, strategy: what they carry along.
        entries, meant: the chosen, [queries, beams]; see `StepStrategy.choose`.
        report: of all queries of `options.beams`.
        places: the queries of `options.beams` that this choice holds; None for all.
    """

    options: StepOptions
    keys: SortKeys
    strategy: StepStrategy
    entries: Tensor
    meant: Tensor
    report: Report
    places: list[int] | None = None

    def split(self) -> tuple[Choice | None, Choice | None]:
        """The queries all of whose beams have one completion, and the others that have beams; None for none."""
        counts, idle = self.report.counts, self.report.idle
        alive = [place for place, count in enumerate(counts) if count]
        queries = self.options.beams.queries
        # Groups that look at each other's choices go on or end together.
        parts = 1 if self.strategy.independent else self.strategy.parts
        choosing = {queries[place] // parts for place in alive if idle[place] < counts[place]}
        complete = [place for place in alive if queries[place] // parts not in choosing]
        others = [place for place in alive if queries[place] // parts in choosing]
        return self._of(complete), self._of(others)

    def _of(self, places: list[int]) -> Choice | None:
        if not places:
            return None
        # All of them: no gather.
        if len(places) == len(self.report.counts):
            return self
        return replace(self, report=self.report.of(places), places=places)

    @cached_property
    def chosen(self) -> Tensor:
        """int64 [rows]; the entries that are meant, query by query, ascending."""
        entries, meant = self.entries, self.meant
        if self.places is not None:
            places = torch.tensor(self.places, device=entries.device)
            entries, meant = entries[places], meant[places]
        rows = sum(self.report.counts)
        # Every beam is full, which is the rule: no selection by mask.
        if rows == meant.numel():
            return entries.flatten()
        return entries.flatten()[torch.nonzero_static(meant.flatten(), size=rows).squeeze(1)]

    @property
    def parents(self) -> Tensor:
        """int64 [rows]; the beam that each continues."""
        return self.options.candidates.rows[self.chosen]

    @property
    def rows_per_query(self) -> int | None:
        """The beams of every query of the last step, where all have kept the same number and queries are whole."""
        counts = self.report.counts
        whole = self.places is None and self.strategy.parts == 1
        return counts[0] if whole and min(counts) == max(counts) else None

    @cached_property
    def beams(self) -> Beams:
        """The chosen as live beams; their `fed` is that of their parents."""
        options, chosen, parents = self.options, self.chosen, self.parents
        old, new = options.beams, options.candidates
        places = range(len(self.report.counts)) if self.places is None else self.places
        return Beams(
            queries=[old.queries[place] for place in places],
            bounds=list(accumulate(self.report.counts, initial=0)),
            scores=options.totals[chosen],
            tokens=torch.cat([old.tokens[parents], new.tokens[chosen, None]], 1),
            log_probs=torch.cat([old.log_probs[parents], new.log_probs[chosen, None]], 1),
            state=self.state_of(None),
            sizes=self.report.sizes,
            fed=None if old.fed is None else old.fed[parents],
            extra=None if self.keys.extra is None else self.keys.extra[chosen],
        )

    def state_of(self, rows: Tensor | None) -> State:
        """The constraint's state of the chosen, or of the rows int64 [n] of them."""
        chosen = self.chosen if rows is None else self.chosen[rows]
        options = self.options
        return options.constraint.advance(options.successors, options.candidates.edges[chosen])
