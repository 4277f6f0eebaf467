"""Sampling under a constraint: with replacement, without, and the walk that takes the likeliest token.

Knows log-probabilities of legal tokens; knows nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from genret.constraint import Constraint
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.candidates import Scorer, segment_log_sum_exp
from genret.decoding.steps.hypothesis import Hypothesis, Score, check_score
from genret.decoding.steps.search import Search
from genret.decoding.steps.strategy import SortKeys, StepOptions, StepStrategy
from genret.errors import UsageError
from genret.models.backbone import Backbone, Encoded

__all__ = ["greedy_search", "sample", "sample_without_replacement"]


class Walks(StepStrategy):
    """Each part of a query is one walk, which takes one legal token a step, the end token like any other."""

    def __init__(self, walks: int, temperature: float, generator: torch.Generator | None) -> None:
        self.parts = walks
        self.temperature = temperature
        self.generator = generator

    def keys(self, options: StepOptions) -> SortKeys:
        """The taken token of each row, as the only one that is not -inf."""
        taken = self._taken(options)
        ruled_out = options.totals.new_full((), -torch.inf)
        ranking = torch.where(taken, options.totals, ruled_out)
        return SortKeys(ranking, ranking)

    def _taken(self, options: StepOptions) -> Tensor:
        """bool [m]; the greatest of log-probability / temperature + Gumbel noise in each row is a fair draw."""
        rows, log_probs = options.candidates.rows, options.candidates.log_probs
        keys = log_probs
        if self.generator is not None:
            keys = log_probs / self.temperature + gumbel(len(rows), self.generator, log_probs.device)
        peaks = keys.new_full((len(options.beams.tokens),), -torch.inf).scatter_reduce(0, rows, keys, "amax")
        entries = torch.arange(len(rows), device=rows.device)
        level = torch.where((keys == peaks[rows]) & (keys > -torch.inf), entries, len(rows))
        first = entries.new_full((len(peaks),), len(rows)).scatter_reduce(0, rows, level, "amin")
        return first[rows] == entries


class StochasticBeams(StepStrategy):
    """Beam search over log-probabilities perturbed by Gumbel noise: a sample without replacement.

    Kool, van Hoof and Welling 2019, algorithm 1. Each beam carries phi, its log-probability under the sampled
    distribution, and G, its perturbed one; of a beam's continuations the greatest G is the beam's own.
    """

    def __init__(self, temperature: float, generator: torch.Generator) -> None:
        self.temperature = temperature
        self.generator = generator

    def start(self, rows: int, device: torch.device) -> Tensor:
        """phi and G of the root are 0."""
        return torch.zeros((rows, 2), dtype=torch.float64, device=device)

    def keys(self, options: StepOptions) -> SortKeys:
        """G of each candidate, conditioned on the greatest of its row being the row's own."""
        assert options.beams.extra is not None
        rows, count = options.candidates.rows, len(options.beams.tokens)
        scaled = options.candidates.log_probs.double() / self.temperature
        phi, own = options.beams.extra[rows].unbind(1)
        phi = phi + scaled - segment_log_sum_exp(scaled, rows, count)[rows]
        drawn = phi + gumbel(len(rows), self.generator, rows.device)
        peaks = drawn.new_full((count,), -torch.inf).scatter_reduce(0, rows, drawn, "amax")[rows]
        perturbed = _conditioned(drawn, peaks, own)
        ranking = perturbed.float()
        return SortKeys(ranking, ranking, torch.stack([phi, perturbed], 1))

    def completed(self, beams: Any, totals: Tensor) -> Tensor:
        """A beam with one completion keeps its G."""
        ranking: Tensor = beams.extra[:, 1].float()
        return ranking


def _conditioned(drawn: Tensor, peak: Tensor, wanted: Tensor) -> Tensor:
    """Gumbels `drawn`, shifted so that their maximum `peak` becomes `wanted` (Kool et al. 2019, appendix B.3)."""
    v = wanted - drawn + log1mexp(drawn - peak)
    shifted = wanted - v.clamp(min=0) - torch.log1p(torch.exp(-v.abs()))
    return torch.where(drawn > -torch.inf, shifted, drawn)


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x <= 0, accurate near 0 and far from it (Mächler 2012)."""
    return torch.where(x > -0.6931471805599453, (-torch.expm1(x)).log(), torch.log1p(-torch.exp(x)))


def gumbel(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard Gumbel noise, float64 [count]; drawn where the generator lives."""
    uniform = torch.rand(count, dtype=torch.float64, generator=generator, device=generator.device)
    smallest = torch.finfo(torch.float64).tiny
    return -(-uniform.clamp(min=smallest).log()).clamp(min=smallest).log().to(device)


def sample(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    num_samples: int = 10,
    temperature: float = 1.0,
    seed: int = 0,
    score: Score = "full",
    max_length: int | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
) -> list[list[Hypothesis]]:
    """Independent draws, in the order of drawing; a sequence may come several times.

    At each step a legal token is drawn with its probability renormalised over the legal tokens, after division
    of log-probabilities by `temperature`. A draw that reaches `max_length` without an end is left out. The draws
    depend on the seed and on the batch.

    Args:
        backbone, encoded, constraint, score, max_length, prefixes, filters: as for `beam_search`; `score` is
            what is reported, not what is drawn from.
        num_samples: draws for each query.
        temperature: above 0; below 1 sharpens.
        seed: of the noise.

    Raises:
        UsageError: an argument is out of its range.
    """
    check_score(score)
    _check_sampling(num_samples, temperature)
    walks = Walks(num_samples, temperature, torch.Generator().manual_seed(seed))
    found = _walk(backbone, encoded, constraint, walks, score, max_length, prefixes, filters)
    groups = [found[first : first + num_samples] for first in range(0, len(found), num_samples)]
    return [[hypothesis for draw in draws for hypothesis in draw] for draws in groups]


def greedy_search(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    score: Score = "full",
    max_length: int | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
) -> list[list[Hypothesis]]:
    """The walk that takes the likeliest legal token at each step, the end token like any other: one a query.

    Unlike a beam of one it stops at the first end token that is likelier than every continuation. Arguments as
    for `beam_search`.
    """
    check_score(score)
    return _walk(backbone, encoded, constraint, Walks(1, 1.0, None), score, max_length, prefixes, filters)


def sample_without_replacement(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    num_samples: int = 10,
    temperature: float = 1.0,
    seed: int = 0,
    score: Score = "full",
    max_length: int | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
) -> list[list[Hypothesis]]:
    """Distinct sequences, drawn one after the other without replacement, in the order of drawing.

    Stochastic beam search (Kool et al. 2019): the Gumbel-top-k trick over all sequences, without visiting them.
    The distribution and the arguments are those of `sample`.
    """
    check_score(score)
    _check_sampling(num_samples, temperature)
    limits = Limits.of(num_samples, None, "full", 0.0, 0, max_length)
    strategy = StochasticBeams(temperature, torch.Generator().manual_seed(seed))
    scorer = Scorer(backbone, score, backbone.eos_token_id, None)
    search = Search(backbone, constraint, limits, scorer, strategy, prefixes, filters)
    with torch.inference_mode():
        return search.run(encoded)


def _walk(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    walks: Walks,
    score: Score,
    max_length: int | None,
    prefixes: Sequence[Sequence[int]] | None,
    filters: Sequence[Any] | None,
) -> list[list[Hypothesis]]:
    # One beam a walk; nothing to stop early, as a walk ends by its one end token.
    limits = Limits.of(1, None, "raw", 0.0, 0, max_length)
    scorer = Scorer(backbone, score, backbone.eos_token_id, None)
    with torch.inference_mode():
        return Search(backbone, constraint, limits, scorer, walks, prefixes, filters).run(encoded)


def _check_sampling(num_samples: int, temperature: float) -> None:
    if num_samples < 1:
        raise UsageError(f"num_samples is {num_samples}; expected at least 1.")
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature}; expected a number above 0.")
