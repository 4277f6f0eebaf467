"""How a search went: every step's beams and candidates, and where a docid was lost.

Knows token ids and scores; knows neither text nor pictures (`trace_view` draws).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genret.constraint import Constraint
from genret.decoding.beam import beam_search
from genret.decoding.steps.hypothesis import Hypothesis
from genret.decoding.steps.strategy import SortKeys, StepOptions
from genret.models.backbone import Backbone, Encoded

__all__ = ["GoldStep", "Trace", "TraceStep", "traced_beam_search"]

Fate = Literal["returned", "outranked", "pruned", "illegal"]


@dataclass(frozen=True)
class TraceStep:
    """One step of one query.

    Attributes:
        beams: the live prefixes, ascending in their tokens.
        scores: their sums.
        rows: int64 [m]; the beam that each candidate continues.
        tokens: int64 [m]; the candidate's token.
        totals: float32 [m]; its sum.
        keys: float32 [m]; what it was chosen by; the totals but for diverse and look-ahead searches.
        kept: bool [m]; it stays alive.
        ended: bool [m]; it is an end token, and finished.
    """

    beams: list[list[int]]
    scores: list[float]
    rows: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    totals: npt.NDArray[np.float32]
    keys: npt.NDArray[np.float32]
    kept: npt.NDArray[np.bool_]
    ended: npt.NDArray[np.bool_]

    def rank(self, candidate: int) -> int:
        """The place of a candidate among those that do not end (or that do), from 1, equal keys in token order."""
        rivals = self.ended == self.ended[candidate]
        keys = self.keys[rivals]
        ahead = int((keys > self.keys[candidate]).sum())
        level = np.flatnonzero(rivals & (self.keys == self.keys[candidate]))
        return ahead + int(np.searchsorted(level, candidate)) + 1

    def candidate(self, prefix: Sequence[int], token: int) -> int | None:
        """The candidate that continues `prefix` by `token`; None where that was not legal or not alive."""
        if list(prefix) not in self.beams:
            return None
        found = np.flatnonzero((self.rows == self.beams.index(list(prefix))) & (self.tokens == token))
        return int(found[0]) if len(found) else None


@dataclass(frozen=True)
class GoldStep:
    """What happened at one step to the docid that was hoped for.

    Attributes:
        step: from 0.
        token: the docid's token at this step.
        beams: live beams.
        candidates: legal continuations of all of them.
        rank: the place of the docid's prefix among them, from 1; among the ends, if the token is the end token.
        total: its sum of log-probabilities.
        cutoff: the key of the last continuation that was kept; -inf where none was pruned.
        margin: its key less the cutoff: below 0, it was lost by that much.
        kept: it stayed alive, or ended.
    """

    step: int
    token: int
    beams: int
    candidates: int
    rank: int
    total: float
    cutoff: float
    margin: float
    kept: bool


@dataclass(frozen=True)
class Trace:
    """The search of one query.

    Attributes:
        steps: until the query was done.
        hypotheses: what it returned.
    """

    steps: list[TraceStep]
    hypotheses: list[Hypothesis]

    def follow(self, gold: Sequence[int]) -> list[GoldStep]:
        """The way of a docid (its end token included) through the search, up to where it ended or was lost."""
        found = []
        for number, (step, token) in enumerate(zip(self.steps, gold, strict=False)):
            candidate = step.candidate(gold[:number], token)
            if candidate is None:
                break
            found.append(_gold_step(number, step, candidate))
            if not found[-1].kept:
                break
        return found

    def fate(self, gold: Sequence[int]) -> tuple[Fate, str]:
        """What became of a docid (its end token included), in one word and in one sentence."""
        for place, hypothesis in enumerate(self.hypotheses, 1):
            if hypothesis.tokens == list(gold):
                return (
                    "returned",
                    f"returned at rank {place} of {len(self.hypotheses)}, score {hypothesis.score:.4f}.",
                )
        way = self.follow(gold)
        last = way[-1] if way else None
        if last is not None and not last.kept:
            return "pruned", (
                f"lost at step {last.step}: rank {last.rank} of {last.candidates} continuations, {-last.margin:.4f} "
                f"below the last of {last.beams} beams' continuations that was kept."
            )
        if len(way) == len(gold) or len(way) == len(self.steps):
            worst = self.hypotheses[-1].score if self.hypotheses else float("nan")
            reached = way[-1].total if way else float("nan")
            return (
                "outranked",
                f"alive to the end and outranked: {reached:.4f}, the last place has {worst:.4f}.",
            )
        return (
            "illegal",
            f"not a docid here: token {gold[len(way)]} is not legal after {list(gold[: len(way)])}.",
        )


def _gold_step(number: int, step: TraceStep, candidate: int) -> GoldStep:
    ended = bool(step.ended[candidate])
    pruned = ~step.kept & ~step.ended & (step.keys > -np.inf)
    cutoff = float(step.keys[step.kept].min()) if pruned.any() and step.kept.any() else -np.inf
    cutoff = -np.inf if ended else cutoff
    return GoldStep(
        step=number,
        token=int(step.tokens[candidate]),
        beams=len(step.beams),
        candidates=int((~step.ended).sum()),
        rank=step.rank(candidate),
        total=float(step.totals[candidate]),
        cutoff=cutoff,
        margin=float(step.keys[candidate]) - cutoff,
        kept=ended or bool(step.kept[candidate]),
    )


@dataclass
class TraceRecorder:
    """Keeps what a search shows of each step."""

    steps: dict[int, list[TraceStep]] = field(default_factory=dict)

    def __call__(self, options: StepOptions, keys: SortKeys, entries: Tensor, meant: Tensor) -> None:
        """See `Search`: the chosen `entries` [queries, beams], where `meant`."""
        kept = torch.zeros(len(options.totals), dtype=torch.bool, device=entries.device)
        kept[entries[meant]] = True
        firsts, bounds = options.firsts.tolist(), options.beams.bounds
        columns = (options.candidates.rows, options.candidates.tokens, options.totals, keys.selection)
        arrays = [column.cpu().numpy() for column in (*columns, kept, options.ends)]
        for place, query in enumerate(options.beams.queries):
            of_query = slice(firsts[place], firsts[place + 1])
            first, last = bounds[place], bounds[place + 1]
            rows, tokens, totals, selection, stays, ends = (array[of_query] for array in arrays)
            beams = options.beams.tokens[first:last].tolist()
            scores = options.beams.scores[first:last].tolist()
            step = TraceStep(beams, scores, rows - first, tokens, totals, selection, stays, ends)
            self.steps.setdefault(query, []).append(step)


def traced_beam_search(
    backbone: Backbone, encoded: Encoded, constraint: Constraint, num_beams: int = 10, **options: Any
) -> tuple[list[list[Hypothesis]], list[Trace]]:
    """`beam_search`, and for each query how it went. Steps are taken one by one, so it is slower.

    Args:
        backbone, encoded, constraint, num_beams, options: as for `beam_search`.
    """
    recorder = TraceRecorder()
    found = beam_search(backbone, encoded, constraint, num_beams, watch=recorder, **options)
    traces = [Trace(recorder.steps.get(query, []), hypotheses) for query, hypotheses in enumerate(found)]
    return found, traces
