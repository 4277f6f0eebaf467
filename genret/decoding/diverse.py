"""Diverse beam search: groups of beams, each kept away from what the groups before it chose.

Knows tokens that were chosen at the same step; knows nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genret.constraint import Constraint
from genret.constraint.ragged_tensors import best_of_groups, grid_of_groups
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.candidates import Scorer
from genret.decoding.steps.hypothesis import Hypothesis, Score
from genret.decoding.steps.search import Search
from genret.decoding.steps.strategy import StepOptions, StepStrategy
from genret.errors import UsageError
from genret.models.backbone import Backbone, Encoded

__all__ = ["diverse_beam_search"]


class Groups(StepStrategy):
    """Groups choose one after the other; a token that earlier groups chose at this step costs `strength` each."""

    independent = False

    def __init__(self, num_groups: int, strength: float) -> None:
        self.parts = num_groups
        self.strength = strength

    @classmethod
    def of(cls, num_groups: int, strength: float, num_beams: int) -> Groups:
        """The groups of so many beams.

        Raises:
            UsageError: a number is out of its range.
        """
        if num_groups < 1 or num_beams % num_groups:
            raise UsageError(f"num_groups is {num_groups}; expected a divisor of num_beams ({num_beams}).")
        if strength < 0:
            raise UsageError(f"strength is {strength}; expected at least 0.")
        return cls(num_groups, strength)

    def choose(self, options: StepOptions, keys: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See `StepStrategy.choose`; the penalty decides here and never enters a sum."""
        numbers = options.beams.numbers
        groups = numbers % self.parts
        # A query's candidates of one token share a name, whichever group they belong to.
        # Names need to differ within a step only, so that the tokens at hand bound them.
        vocabulary = options.candidates.tokens.amax() + 1
        names = (numbers // self.parts)[options.positions] * vocabulary + options.candidates.tokens
        entries = torch.zeros((len(numbers), count), dtype=torch.int64, device=numbers.device)
        meant = torch.zeros_like(entries, dtype=torch.bool)
        taken = names[:0]
        for group in range(self.parts):
            rows = groups == group
            grid = grid_of_groups(
                keys - self.strength * _times(taken, names),
                options.firsts[:-1],
                options.positions,
                options.width,
            )
            columns, found = best_of_groups(grid, count)
            found &= rows[:, None]
            entries = torch.where(rows[:, None], options.firsts[:-1, None] + columns, entries)
            meant |= found
            taken = torch.cat([taken, torch.where(found, names[entries * found], -1).flatten()])
        return entries * meant, meant


def _times(taken: Tensor, names: Tensor) -> Tensor:
    """How often each of `names` is among `taken`."""
    # Two binary searches count without a matrix of names times groups.
    ordered = taken.sort().values
    return torch.searchsorted(ordered, names, right=True) - torch.searchsorted(ordered, names)


def diverse_beam_search(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    num_beams: int = 10,
    num_groups: int = 5,
    strength: float = 0.5,
    num_return: int | None = None,
    score: Score = "full",
    length_penalty: float = 0.0,
    min_length: int = 0,
    max_length: int | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
) -> list[list[Hypothesis]]:
    """Diverse beam search (Vijayakumar et al. 2018, algorithm 1) with Hamming diversity.

    The beams of a query form groups of equal size. At each step the groups choose in turn; group g chooses by its sums
    of log-probabilities less `strength` times the number of beams of groups 1 to g - 1 that chose the same token at
    this step (the paper's lambda and delta, section 4.1). Scores are the sums alone. A sequence that several groups
    found counts once.

    Args:
        num_beams, num_groups: live beams of a query, and the groups that share them; one group is beam search.
        strength: lambda; with 0 every group finds the same. The others are those of `beam_search`.

    Raises:
        UsageError: an argument is out of its range.
    """
    limits = Limits.of(num_beams, num_return, score, length_penalty, min_length, max_length)
    groups = Groups.of(num_groups, strength, num_beams)
    own = num_beams // num_groups
    # A group that is done still keeps others away from its tokens.
    each = replace(limits, num_beams=own, num_return=own, early_stop=False)
    # Where everything is legal, the tokens of earlier groups must not use up the candidates of a later one.
    scorer = Scorer(backbone, score, backbone.eos_token_id, num_beams)
    with torch.inference_mode():
        found = Search(backbone, constraint, each, scorer, groups, prefixes, filters).run(encoded)
    queries = range(0, len(found), num_groups)
    return [_merged(found[first : first + num_groups])[: limits.num_return] for first in queries]


def _merged(groups: list[list[Hypothesis]]) -> list[Hypothesis]:
    distinct = {tuple(hypothesis.tokens): hypothesis for group in groups for hypothesis in group}
    return sorted(distinct.values(), key=lambda hypothesis: (-hypothesis.score, hypothesis.tokens))
