"""The engine of every search: live beams as flat arrays, moved one token at a time.

Knows a backbone, a constraint and scores; knows nothing of how a caller states its wishes. Each query's beams
lie side by side, in the order of their tokens. A step lists the legal successors of all beams, scores them,
sets aside those that end, and keeps the best of the others. Queries all of whose beams have nothing left to
choose are completed in one pass and leave the batch, as do those that no live beam can improve. Where no live
beam of the batch has a choice, the tokens up to the next choice go through the model in one pass. No loop runs
over beams, and the host waits for the device once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from genret.constraint import Constraint, Documents
from genret.constraint.protocol import Bounded, Completing, Counting, Ending
from genret.decoding.steps.beams import Beams, Limits
from genret.decoding.steps.candidates import Scorer
from genret.decoding.steps.choice import Choice, Report
from genret.decoding.steps.finished import Ended, Finished
from genret.decoding.steps.forced import POSITIONS, ForcedRun, run_of, score_tails
from genret.decoding.steps.hypothesis import Hypothesis
from genret.decoding.steps.strategy import SortKeys, StepOptions, StepStrategy
from genret.errors import InputError, UsageError
from genret.models.backbone import Backbone, DecoderState, Encoded

__all__ = ["Observer", "Search"]

# A step's candidates, their keys, the chosen entries [queries, beams], and which of these are meant.
Observer: TypeAlias = Callable[[StepOptions, SortKeys, Tensor, Tensor], None]


class Search:
    """One search over one batch.

    Args:
        backbone: the model.
        constraint: what may come next.
        limits: how many and how long.
        scorer: the scores of candidates.
        strategy: by what they are chosen.
        prefixes, filters: one entry a query; see `beam_search`.
    """

    def __init__(
        self,
        backbone: Backbone,
        constraint: Constraint,
        limits: Limits,
        scorer: Scorer,
        strategy: StepStrategy | None = None,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> None:
        self.backbone, self.constraint = backbone, constraint
        self.limits, self.scorer = limits, scorer
        self.strategy = strategy or StepStrategy()
        self.prefixes, self.filters = prefixes, filters
        self.eos = backbone.eos_token_id
        _check_vocabulary(backbone, constraint)
        # Beams with one completion need no model where scores are renormalised: their tokens are certain.
        self.certain = scorer.score == "renormalised"
        able = isinstance(constraint, Completing) and (self.certain or backbone.feeds_several)
        self.observer: Observer | None = None
        self.completing: Completing | None = constraint if able else None  # type: ignore[assignment]

    def watch(self, observer: Observer) -> None:
        """Show every step to `observer`; nothing is completed in one pass then, as there would be no steps."""
        self.observer, self.completing = observer, None

    def run(self, encoded: Encoded) -> list[list[Hypothesis]]:
        """Search, and return the hypotheses of each part of each query, best first."""
        hidden, state = self.backbone.start(encoded)
        queries, parts = len(hidden), self.strategy.parts
        _check_rows("prefixes", self.prefixes, queries)
        _check_rows("filters", self.filters, queries)
        if not queries:
            return []
        if parts > 1:
            # A query is encoded once however many parts search it; its parts share what the model stores a query.
            rows = torch.arange(queries, device=hidden.device).repeat_interleave(parts)
            hidden, state = hidden[rows], self.backbone.reorder(state, rows, parts)
        self.forced = _forced_tokens(_repeated(self.prefixes, parts), hidden.device)
        self.finished = Finished.empty(queries * parts, self.limits.num_return, hidden.device)
        self._move(hidden, state, self._first(queries * parts, hidden.device))
        return self.finished.hypotheses()

    def _first(self, rows: int, device: torch.device) -> Beams:
        """One beam for each part of each query, at the root."""
        start = self.constraint.start(rows, filters=_repeated(self.filters, self.strategy.parts))
        sizes = self.constraint.counts(start).tolist() if isinstance(self.constraint, Counting) else None
        return Beams.first(rows, start, sizes, self.strategy.start(rows, device), device)

    def _move(self, hidden: Tensor, state: DecoderState, beams: Beams) -> None:
        """Step until no query has a beam left."""
        while True:
            options = self._options(hidden, beams)
            if options is None:
                return
            keys = self.strategy.keys(options)
            self._finish(options, keys)
            # No token may follow: whatever has not ended here never will.
            if beams.length + 1 == self.limits.max_length:
                return
            completed, going_on = self._choose(options, keys).split()
            # Before `_feed`, which drops the completed queries' rows from the model's state.
            if completed is not None:
                self._complete(completed, state)
            if going_on is None:
                return
            hidden, state, beams = self._feed(going_on, state)

    def _feed(self, choice: Choice, state: DecoderState) -> tuple[Tensor, DecoderState, Beams]:
        """Show the model the last tokens of the chosen beams, but for those whose scores need no model."""
        beams = choice.beams
        run = self._run(beams)
        # After a step that passed rows over, the state's rows are no longer those of the beams.
        rows = choice.parents if beams.fed is None else beams.fed
        tokens, rows_per_query = beams.tokens[:, -1:], choice.rows_per_query
        if run is not None:
            tokens = torch.cat([tokens, run.tokens], 1)
        fed, idle = None, sum(choice.report.idle)
        if self.certain and self.completing is not None and idle:
            needed = self.completing.remaining(beams.state) == 0
            # The report says how many there are, so that the size need not be fetched from the device.
            places = torch.nonzero_static(needed, size=len(rows) - idle).squeeze(1)
            fed = torch.full_like(rows, -1).index_copy_(
                0, places, torch.arange(len(places), device=rows.device)
            )
            rows, tokens = rows[places], tokens[places]
        # Queries may now have unlike numbers of rows in the state, and the promise would be false.
        if beams.fed is not None or fed is not None:
            rows_per_query = None
        state = self.backbone.reorder(state, rows, rows_per_query)
        hidden, state = self.backbone.step(state, tokens if run else tokens[:, 0])
        if run is None:
            return hidden, state, replace(beams, fed=fed)
        if self.certain:
            # Renormalised over the one token that is legal, each has probability 1.
            log_probs = torch.zeros(run.tokens.shape, device=run.tokens.device)
        else:
            log_probs = self.scorer.known(hidden[:, :-1], run.tokens)
        return hidden[:, -1], state, replace(run.behind(beams, log_probs), fed=fed)

    def _run(self, beams: Beams) -> ForcedRun | None:
        """What all beams must take next; None where they must not, or where every step is watched or forced."""
        if self.observer is not None or (self.forced is not None and beams.length < self.forced.shape[1]):
            return None
        most = POSITIONS // len(beams.tokens)
        if self.limits.max_length is not None:
            # One place is left for the end token, which no run holds.
            most = min(most, self.limits.max_length - 1 - beams.length)
        return run_of(self.constraint, beams, self.eos, most)

    def _options(self, hidden: Tensor, beams: Beams) -> StepOptions | None:
        """The candidates for every beam's next token; None when there are none."""
        successors = self.constraint.successors(
            beams.state, None if beams.sizes is None else sum(beams.sizes)
        )
        if successors.everything and self.limits.max_length is None:
            raise UsageError("max_length is missing; a search in which every token is legal may never end.")
        candidates = self.scorer(hidden, successors, self._forced_next(beams), beams.fed)
        # An empty index, a filter that leaves nothing, or n-grams that are all over.
        if not len(candidates.tokens):
            return None
        ends = candidates.tokens == self.eos
        if self.limits.free_last_end and beams.length + 1 == self.limits.max_length:
            candidates = replace(candidates, log_probs=candidates.log_probs.masked_fill(ends, 0.0))
        firsts = candidates.offsets[beams.starts]
        return StepOptions(
            beams=beams,
            candidates=candidates,
            totals=beams.scores[candidates.rows] + candidates.log_probs,
            successors=successors,
            constraint=self.constraint,
            ends=ends,
            firsts=firsts,
            width=max(firsts.diff().tolist() if beams.sizes is None else beams.sizes),
        )

    def _forced_next(self, beams: Beams) -> Tensor | None:
        """The token that each row's forced prefix asks for next, or -1: int64 [rows]."""
        if self.forced is None or beams.length >= self.forced.shape[1]:
            return None
        return self.forced[beams.numbers[beams.positions], beams.length]

    def _finish(self, options: StepOptions, keys: SortKeys) -> None:
        """Set aside the candidates that are the end token, at most one of each row."""
        beams, candidates = options.beams, options.candidates
        length, rows = beams.length + 1, len(beams.tokens)
        if length < self.limits.min_length:
            return
        entries = torch.arange(len(options.totals), device=candidates.tokens.device)
        # All that does not end goes to one row too many, which is cut off: a scatter needs no size from the device.
        place = torch.where(options.ends, candidates.rows, rows)
        entry = entries.new_full((rows + 1,), -1).scatter_(0, place, entries)[:-1]
        # Rows without an end point at any entry; their key is -inf below, so nothing of it is kept.
        taken = entry.clamp(min=0)

        def documents(wanted: Tensor) -> Documents:
            edges = candidates.edges[taken[wanted]]
            return self.constraint.documents(self.constraint.advance(options.successors, edges))

        ended = Ended(
            queries=beams.numbers[beams.positions],
            keys=self.limits.ranked(keys.ranking[taken], length).masked_fill(entry < 0, -torch.inf),
            scores=self.limits.ranked(options.totals[taken], length),
            tokens=torch.cat([beams.tokens, entry.new_full((rows, 1), self.eos)], 1),
            log_probs=torch.cat([beams.log_probs, candidates.log_probs[taken, None]], 1),
            documents=documents,
        )
        self.finished.add(ended, beams.starts[:-1], beams.positions, beams.width, beams.numbers)

    def _choose(self, options: StepOptions, keys: SortKeys) -> Choice:
        """The best candidates of each query that do not end; none of queries that are done."""
        beams = options.beams
        # What ends has been set aside: in a live place it would keep another prefix from living.
        selection = keys.selection.masked_fill(options.ends, -torch.inf)
        entries, meant = self.strategy.choose(options, selection, self.limits.num_beams)
        if self.limits.early_stop:
            # By the ranking, not the selection: a bonus that keeps a beam alive is no part of any score.
            best = keys.ranking[entries].masked_fill(~meant, -torch.inf).amax(1)
            done = self.limits.ceiling(best, beams.length + 1) < self.finished.last(beams.numbers)
            meant &= ~done[:, None]
        if self.observer is not None:
            self.observer(options, keys, entries, meant)
        # A forced prefix must be seen token by token: it may leave what the trie would complete.
        forced_later = self.forced is not None and beams.length + 1 < self.forced.shape[1]
        completing = None if forced_later else self.completing
        report = Report.fetch(options, entries, meant, self.constraint, completing)
        return Choice(options, keys, self.strategy, entries, meant, report)

    def _complete(self, choice: Choice, state: DecoderState) -> None:
        """Score what is left of beams that have nothing to choose, and finish them."""
        beams, width = choice.beams, choice.report.longest
        assert self.completing is not None
        tokens, _ = self.completing.complete(beams.state, width)
        if self.certain:
            log_probs = torch.zeros(tokens.shape, device=tokens.device)
        else:
            last = beams.tokens[:, -1]
            even, parents = choice.report.even, choice.parents
            log_probs = score_tails(self.backbone, self.scorer, state, parents, last, tokens, even)
        lengths = (tokens >= 0).sum(1) + beams.length
        if self.limits.free_last_end:
            log_probs[:, -1].masked_fill_(lengths.eq(self.limits.max_length or 0), 0.0)
        totals = beams.scores
        for column in log_probs.unbind(1):
            # Token by token, as single steps would: a reduction's order depends on the longest tail of the batch.
            totals = totals + column

        def documents(wanted: Tensor) -> Documents:
            assert self.completing is not None
            return self.constraint.documents(self.completing.complete(choice.state_of(wanted), width)[1])

        ended = Ended(
            queries=beams.numbers[beams.positions],
            keys=self.limits.ranked(self.strategy.completed(beams, totals), lengths),
            scores=self.limits.ranked(totals, lengths),
            tokens=torch.cat([beams.tokens, tokens], 1),
            log_probs=torch.cat([beams.log_probs, log_probs], 1),
            documents=documents,
        )
        self.finished.add(ended, beams.starts[:-1], beams.positions, beams.width, beams.numbers)


def _check_vocabulary(backbone: Backbone, constraint: Constraint) -> None:
    """Refuse docids that were made for another model.

    Raises:
        InputError: they end with another token, or hold tokens that the model does not have.
    """
    if isinstance(constraint, Ending) and constraint.eos != backbone.eos_token_id:
        raise InputError(
            f"the docids end with token {constraint.eos}, the model with {backbone.eos_token_id}: they were made for another "
            "model. Build the trie with the model's eos_token_id."
        )
    if isinstance(constraint, Bounded) and constraint.largest_token >= backbone.vocab_size:
        raise InputError(
            f"the docids hold token {constraint.largest_token}, the model has {backbone.vocab_size} tokens: they were made for "
            "another model, or its vocabulary was not extended."
        )


def _repeated(rows: Sequence[Any] | None, parts: int) -> Sequence[Any] | None:
    return rows if rows is None or parts == 1 else [row for row in rows for _ in range(parts)]


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
