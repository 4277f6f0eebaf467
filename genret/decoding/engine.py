"""The engine of every beam search: live beams as flat arrays, moved one token at a time.

Knows a backbone, a constraint and scores; knows nothing of how a caller states its wishes. Each query's beams
lie side by side, in the order of their tokens. A step lists the legal successors of all beams, scores them,
sets aside those that end, and keeps the best of the others. No loop runs over beams, and the host waits for
the device once a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from genret.constraint import Constraint, State, Successors
from genret.constraint.protocol import Counting
from genret.constraint.ragged import row_numbers
from genret.decoding.candidates import Candidates, Scorer
from genret.decoding.finished import Ended, Finished
from genret.decoding.hypothesis import Hypothesis
from genret.decoding.select import best_of_groups, grid_of_groups
from genret.errors import UsageError
from genret.models.backbone import Backbone, Encoded

__all__ = ["Beams", "Limits", "Search"]


@dataclass(frozen=True)
class Limits:
    """How many hypotheses, how long, and how length counts; see `beam_search`."""

    num_beams: int
    num_return: int
    min_length: int
    max_length: int | None
    length_penalty: float
    early_stop: bool

    def ranked(self, totals: Tensor, length: int) -> Tensor:
        """The key of hypotheses that end with `length` tokens."""
        return totals if self.length_penalty == 0 else totals / length**self.length_penalty

    def ceiling(self, totals: Tensor, length: int) -> Tensor:
        """The greatest key that beams of `length` tokens with these `totals` can still reach."""
        if self.length_penalty > 0:
            return (
                torch.zeros_like(totals) if self.max_length is None else self.ranked(totals, self.max_length)
            )
        return self.ranked(totals, length + 1)


@dataclass(frozen=True)
class Beams:
    """The live beams of the queries that are still searched.

    Attributes:
        queries: the number in the batch of each of these queries.
        bounds: query i has the rows `bounds[i]:bounds[i + 1]`, ascending in their tokens.
        scores: float32 [rows]; sums of `log_probs`.
        tokens, log_probs: [rows, t].
        state: of the constraint.
        sizes: for each query the number of successors of its beams, or more; None where the constraint cannot
            count.
    """

    queries: list[int]
    bounds: list[int]
    scores: Tensor
    tokens: Tensor
    log_probs: Tensor
    state: State
    sizes: list[int] | None

    @property
    def length(self) -> int:
        """Tokens so far."""
        return self.tokens.shape[1]

    @property
    def width(self) -> int:
        """The most beams of a query."""
        return max(last - first for first, last in pairwise(self.bounds))

    @cached_property
    def numbers(self) -> Tensor:
        """`queries` on the device."""
        return torch.tensor(self.queries, device=self.tokens.device)

    @cached_property
    def starts(self) -> Tensor:
        """`bounds` on the device."""
        return torch.tensor(self.bounds, device=self.tokens.device)

    @cached_property
    def positions(self) -> Tensor:
        """int64 [rows]; the position in `queries` of each row's query."""
        return row_numbers(self.starts, len(self.tokens))


@dataclass(frozen=True)
class _Choice:
    """The live beams of the next step before the model has seen their last tokens.

    Attributes:
        beams: the chosen.
        parents: int64 [rows]; the row of the last step that each continues.
        rows_per_query: the beams of every query of the last step, where all have kept the same number.
    """

    beams: Beams
    parents: Tensor
    rows_per_query: int | None


class Search:
    """One search over one batch."""

    def __init__(self, backbone: Backbone, constraint: Constraint, limits: Limits, scorer: Scorer) -> None:
        self.backbone, self.constraint = backbone, constraint
        self.limits, self.scorer = limits, scorer
        self.eos = backbone.eos_token_id

    def run(
        self, encoded: Encoded, prefixes: Sequence[Sequence[int]] | None, filters: Sequence[Any] | None
    ) -> list[list[Hypothesis]]:
        """Search, and return for each query its hypotheses, best first."""
        hidden, state = self.backbone.start(encoded)
        queries = len(hidden)
        _check_rows("prefixes", prefixes, queries)
        _check_rows("filters", filters, queries)
        self.forced = _forced_tokens(prefixes, hidden.device)
        self.finished = Finished.empty(queries, self.limits.num_return, hidden.device)
        beams = self._first(queries, filters, hidden.device) if queries else None
        while beams is not None:
            choice = self._step(hidden, beams)
            if choice is None:
                break
            beams = choice.beams
            state = self.backbone.reorder(state, choice.parents, choice.rows_per_query)
            hidden, state = self.backbone.step(state, beams.tokens[:, -1])
        return self.finished.hypotheses(self.constraint)

    def _first(self, queries: int, filters: Sequence[Any] | None, device: torch.device) -> Beams:
        """One beam for each query, at the root."""
        start = self.constraint.start(queries, filters=filters)
        sizes = self.constraint.counts(start).tolist() if isinstance(self.constraint, Counting) else None
        tokens = torch.zeros((queries, 0), dtype=torch.int64, device=device)
        log_probs = torch.zeros((queries, 0), device=device)
        rows = list(range(queries + 1))
        return Beams(rows[:-1], rows, torch.zeros(queries, device=device), tokens, log_probs, start, sizes)

    def _step(self, hidden: Tensor, beams: Beams) -> _Choice | None:
        """Every beam's next token; None when no query has a beam left."""
        size = None if beams.sizes is None else sum(beams.sizes)
        successors = self.constraint.successors(beams.state, size)
        if successors.everything and self.limits.max_length is None:
            raise UsageError("max_length is missing; a search in which every token is legal may never end.")
        candidates = self.scorer(hidden, successors, self._forced_next(beams))
        if not len(candidates.tokens):
            return None
        totals = beams.scores[candidates.rows] + candidates.log_probs
        self._finish(beams, successors, candidates, totals)
        if beams.length + 1 == self.limits.max_length:
            return None
        return self._choose(beams, successors, candidates, totals)

    def _forced_next(self, beams: Beams) -> Tensor | None:
        """The token that each row's forced prefix asks for next, or -1: int64 [rows]."""
        if self.forced is None or beams.length >= self.forced.shape[1]:
            return None
        return self.forced[beams.numbers[beams.positions], beams.length]

    def _finish(self, beams: Beams, successors: Successors, candidates: Candidates, totals: Tensor) -> None:
        """Set aside the candidates that are the end token, at most one of each row."""
        length, rows = beams.length + 1, len(beams.tokens)
        if length < self.limits.min_length:
            return
        entries = torch.arange(len(totals), device=totals.device)
        place = torch.where(candidates.tokens == self.eos, candidates.rows, rows)
        entry = entries.new_full((rows + 1,), -1).scatter_(0, place, entries)[:-1]
        taken = entry.clamp(min=0)
        keys = self.limits.ranked(totals[taken], length).masked_fill(entry < 0, -torch.inf)
        tokens = torch.cat([beams.tokens, entry.new_full((rows, 1), self.eos)], 1)
        log_probs = torch.cat([beams.log_probs, candidates.log_probs[taken, None]], 1)
        query_of_row = beams.numbers[beams.positions]
        ended = Ended(query_of_row, keys, tokens, log_probs, successors, candidates.edges[taken])
        grid = grid_of_groups(keys, beams.starts[:-1], beams.positions, beams.width)
        self.finished.add(ended, grid, beams.numbers)

    def _choose(
        self, beams: Beams, successors: Successors, candidates: Candidates, totals: Tensor
    ) -> _Choice | None:
        """The best candidates of each query that do not end; none of queries that are done."""
        firsts = candidates.offsets[beams.starts]
        sizes = firsts.diff().tolist() if beams.sizes is None else beams.sizes
        keys = totals.masked_fill(candidates.tokens == self.eos, -torch.inf)
        grid = grid_of_groups(keys, firsts[:-1], beams.positions[candidates.rows], max(sizes))
        columns, meant = best_of_groups(grid, self.limits.num_beams)
        entries = (firsts[:-1, None] + columns) * meant  # [queries, beams]; 0 where none is meant
        best = totals[entries].masked_fill(~meant, -torch.inf).amax(1)
        meant &= ~self._done(best, beams)[:, None]
        state = self.constraint.advance(successors, candidates.edges[entries].flatten())
        counts, next_sizes = self._fetch(meant, state, totals.isnan().any(), beams.length)
        if not any(counts):
            return None
        rows_per_query = counts[0] if min(counts) == max(counts) else None
        chosen = entries.flatten()
        if rows_per_query != self.limits.num_beams:
            chosen = chosen[torch.nonzero_static(meant.flatten(), size=sum(counts)).squeeze(1)]
            state = self.constraint.advance(successors, candidates.edges[chosen])
        kept = [place for place, count in enumerate(counts) if count]
        parents = candidates.rows[chosen]
        chosen_beams = Beams(
            queries=[beams.queries[place] for place in kept],
            bounds=list(accumulate((counts[place] for place in kept), initial=0)),
            scores=totals[chosen],
            tokens=torch.cat([beams.tokens[parents], candidates.tokens[chosen, None]], 1),
            log_probs=torch.cat([beams.log_probs[parents], candidates.log_probs[chosen, None]], 1),
            state=state,
            sizes=None if next_sizes is None else [next_sizes[place] for place in kept],
        )
        return _Choice(chosen_beams, parents, rows_per_query)

    def _done(self, best: Tensor, beams: Beams) -> Tensor:
        """Which queries no live beam can improve any more: bool [queries]; `best` is their best live sum."""
        if not self.limits.early_stop:
            return torch.zeros_like(best, dtype=torch.bool)
        return self.limits.ceiling(best, beams.length + 1) < self.finished.last(beams.numbers)

    def _fetch(
        self, meant: Tensor, state: State, broken: Tensor, length: int
    ) -> tuple[list[int], list[int] | None]:
        """For each query how many beams it keeps, and their successors: the step's one synchronisation."""
        report = [meant.sum(1), broken.expand(len(meant))]
        if isinstance(self.constraint, Counting):
            report.append((self.constraint.counts(state).view_as(meant) * meant).sum(1))
        counts, nans, *sizes = torch.stack(report).tolist()
        if nans[0]:
            raise FloatingPointError(
                f"the model's scores of token {length + 1} are not numbers (NaN). Some models overflow in half "
                "precision: load this one in float32 or bfloat16, and check its weights."
            )
        return counts, sizes[0] if sizes else None


def _forced_tokens(prefixes: Sequence[Sequence[int]] | None, device: torch.device) -> Tensor | None:
    """Prefixes as int64 [queries, longest], filled up with -1; None when all are empty."""
    longest = max((len(prefix) for prefix in prefixes or ()), default=0)
    if prefixes is None or longest == 0:
        return None
    rows = [[*prefix, *[-1] * (longest - len(prefix))] for prefix in prefixes]
    return torch.tensor(rows, dtype=torch.int64, device=device)


def _check_rows(name: str, rows: Sequence[Any] | None, queries: int) -> None:
    if rows is not None and len(rows) != queries:
        raise UsageError(f"{name} has {len(rows)} entries; expected one for each of the {queries} queries.")
