"""Finished hypotheses: collected as tensors while a search runs, turned into lists at its end.

Knows scores, tokens and a constraint's documents; knows nothing of live beams.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor

from genret.constraint import Constraint, Successors
from genret.decoding.hypothesis import Hypothesis

__all__ = ["Ended", "Finished"]


@dataclass(frozen=True)
class Ended:
    """What ended at one step: an end token for each row, where it is legal.

    Attributes:
        queries: int64 [rows]; the query of each row.
        keys: float32 [rows]; what hypotheses are ranked by, -inf where a row cannot end.
        tokens, log_probs: [rows, t]; the end token is the last.
        successors: of the step.
        edges: int64 [rows]; the edge of each row's end token.
    """

    queries: Tensor
    keys: Tensor
    tokens: Tensor
    log_probs: Tensor
    successors: Successors
    edges: Tensor

    def at_least(self, last: Tensor) -> Ended:
        """The rows that rank no lower than the last place of their query, `last` float32 [queries]."""
        rows = ((self.keys >= last[self.queries]) & (self.keys > -torch.inf)).nonzero().squeeze(1)
        return replace(
            self,
            queries=self.queries[rows],
            keys=self.keys[rows],
            tokens=self.tokens[rows],
            log_probs=self.log_probs[rows],
            edges=self.edges[rows],
        )


@dataclass
class Finished:
    """The finished hypotheses of a batch.

    Attributes:
        best: float32 [queries, num_return]; the greatest keys of each query so far, in no order.
    """

    best: Tensor
    _steps: list[Ended] = field(default_factory=list)

    @classmethod
    def empty(cls, queries: int, num_return: int, device: torch.device) -> Finished:
        return cls(torch.full((queries, num_return), -torch.inf, device=device))

    def add(self, ended: Ended, grid: Tensor, queries: Tensor) -> None:
        """Add one step's; `grid` float32 [n, beams] holds the same keys for the queries `queries` int64 [n]."""
        self._steps.append(ended)
        kept = torch.cat([self.best[queries], grid], 1).topk(self.best.shape[1], dim=1, sorted=False).values
        self.best[queries] = kept

    def last(self, queries: Tensor) -> Tensor:
        """The key of the last place of each of `queries`; -inf while a place is free."""
        return self.best[queries].amin(1)

    def hypotheses(self, constraint: Constraint) -> list[list[Hypothesis]]:
        """For each query its best hypotheses, best first; equal scores in the order of their tokens."""
        last = self.best.amin(1)
        found: dict[int, list[Hypothesis]] = defaultdict(list)
        for step in self._steps:
            for query, hypothesis in _listed(step.at_least(last), constraint):
                found[query].append(hypothesis)
        count = self.best.shape[1]
        return [sorted(found[query], key=_rank)[:count] for query in range(len(self.best))]


def _rank(hypothesis: Hypothesis) -> tuple[float, list[int]]:
    return -hypothesis.score, hypothesis.tokens


def _listed(ended: Ended, constraint: Constraint) -> list[tuple[int, Hypothesis]]:
    if not len(ended.queries):
        return []
    documents = constraint.documents(constraint.advance(ended.successors, ended.edges))
    bounds, numbers = pairwise(documents.offsets.tolist()), documents.documents.tolist()
    columns = (x.tolist() for x in (ended.queries, ended.tokens, ended.keys, ended.log_probs))
    return [
        (query, Hypothesis(tokens, key, log_probs, numbers[first:last]))
        for query, tokens, key, log_probs, (first, last) in zip(*columns, bounds, strict=True)
    ]
