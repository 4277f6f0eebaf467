"""Hypotheses of every length: what a beam search scored on its way, kept instead of thrown away.

Knows candidates and their scores; knows nothing of what the sequences are for. SEAL (Bevilacqua et al.,
"Autoregressive Search Engines", 2022, section 3.3) takes its n-grams from here: no second pass of the model is
needed to score them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genret.constraint import Constraint
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.candidates import Scorer
from genret.decoding.steps.search import Search
from genret.decoding.steps.strategy import SortKeys, StepOptions, StepStrategy
from genret.models.backbone import Backbone, Encoded

__all__ = ["Recorded", "Recorder", "recorded_beam_search"]


@dataclass(frozen=True)
class Recorded:
    """One scored sequence.

    Attributes:
        tokens: its tokens, without an end token.
        score: the sum of their scores, those of a forced prefix included.
        token_scores: the score of each token.
    """

    tokens: tuple[int, ...]
    score: float
    token_scores: tuple[float, ...]


@dataclass(frozen=True)
class _Step:
    """The kept sequences of one step: queries int64 [n], tokens and token scores [n, t], scores [n]."""

    queries: Tensor
    tokens: Tensor
    token_scores: Tensor
    scores: Tensor


class Recorder(StepStrategy):
    """Beam search that keeps the best `count` candidates of each query at each step, end tokens left out.

    The sequences of one search are distinct: every one is reached by one path. For one search only.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._steps: list[_Step] = []

    def keys(self, options: StepOptions) -> SortKeys:
        """Record, then choose as beam search does."""
        found = super().keys(options)
        values = options.totals.masked_fill(options.ends, -torch.inf)
        entries, meant = self.choose(options, values, self.count)
        chosen = entries[meant]
        beams, parents = options.beams, options.candidates.rows[chosen]
        new = (options.candidates.tokens[chosen, None], options.candidates.log_probs[chosen, None])
        self._steps.append(
            _Step(
                queries=beams.numbers[beams.positions[parents]],
                tokens=torch.cat([beams.tokens[parents], new[0]], 1),
                token_scores=torch.cat([beams.log_probs[parents], new[1]], 1),
                scores=options.totals[chosen],
            )
        )
        return found

    def recorded(self, queries: int) -> list[list[Recorded]]:
        """What was kept of each of the `queries` of the batch, shortest first, then in the order of tokens."""
        found: list[list[Recorded]] = [[] for _ in range(queries)]
        for step in self._steps:
            columns = (step.queries, step.tokens, step.scores, step.token_scores)
            for query, tokens, score, token_scores in zip(
                *(column.tolist() for column in columns), strict=True
            ):
                found[query].append(Recorded(tuple(tokens), score, tuple(token_scores)))
        return found


def recorded_beam_search(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    num_beams: int,
    max_length: int,
    prefixes: Sequence[Sequence[int]] | None = None,
) -> list[list[Recorded]]:
    """Every scored sequence of 1 to `max_length` tokens among the best 2 * `num_beams` of its length, a query.

    Beam search as `beam_search` runs it, with full-vocabulary scores; with a constraint that offers the end
    token, a query is done early once no live beam can beat those that have ended.

    Args:
        backbone, encoded, constraint, num_beams: as for `beam_search`.
        max_length: tokens, those of a forced prefix included.
        prefixes: for each query the tokens that its sequences begin with; they are scored as any others.
    """
    recorder = Recorder(2 * num_beams)
    limits = Limits.of(num_beams, None, "full", 0.0, 0, max_length)
    scorer = Scorer(backbone, "full", backbone.eos_token_id, 2 * num_beams)
    search = Search(backbone, constraint, limits, scorer, recorder, prefixes)
    # A search that is watched takes every step by itself, also where several could be taken in one pass.
    search.watch(lambda *_: None)
    with torch.inference_mode():
        search.run(encoded)
    return recorder.recorded(len(encoded))
