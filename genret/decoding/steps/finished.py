"""Finished hypotheses: collected as tensors while a search runs, turned into lists at its end.

Knows scores, tokens and a constraint's documents; knows nothing of live beams.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from genret.constraint import Documents
from genret.constraint.ragged_tensors import grid_of_groups
from genret.decoding.steps.hypothesis import Hypothesis

__all__ = ["Ended", "Finished"]

NO_TOKEN = -1


@dataclass(frozen=True)
class Ended:
    """What ended together: at most one hypothesis a row, each query's rows side by side.

    Attributes:
        queries: int64 [rows]; the query of each row, ascending.
        keys: float32 [rows]; what hypotheses are ranked by, -inf where a row does not end.
        scores: float32 [rows]; what the hypotheses report.
        tokens, log_probs: [rows, t]; the end token included; a token of -1 is none.
        documents: gives the documents of the rows int64 [n].
    """

    queries: Tensor
    keys: Tensor
    scores: Tensor
    tokens: Tensor
    log_probs: Tensor
    documents: Callable[[Tensor], Documents]

    def at_least(self, last: Tensor) -> list[tuple[int, float, Hypothesis]]:
        """Query, key and hypothesis of the rows that rank no lower than `last`, float32 [queries]."""
        # Ties of the last place stay in: which of them is first is known once all are lists.
        rows = ((self.keys >= last[self.queries]) & (self.keys > -torch.inf)).nonzero().squeeze(1)
        if not len(rows):
            return []
        found = self.documents(rows)
        bounds, documents = found.offsets.tolist(), found.documents.tolist()
        columns = (self.queries, self.keys, self.scores, self.tokens, self.log_probs)
        listed = zip(*(column[rows].tolist() for column in columns), pairwise(bounds), strict=True)
        return [
            (query, key, _hypothesis(score, tokens, log_probs, documents[first:last_place]))
            for query, key, score, tokens, log_probs, (first, last_place) in listed
        ]


@dataclass
class Finished:
    """The finished hypotheses of a batch.

    Attributes:
        best: float32 [queries, num_return]; the greatest keys of each query so far, in no order.
    """

    best: Tensor
    _ended: list[Ended] = field(default_factory=list)

    @classmethod
    def empty(cls, queries: int, num_return: int, device: torch.device) -> Finished:
        """No hypotheses yet."""
        return cls(torch.full((queries, num_return), -torch.inf, device=device))

    def add(self, ended: Ended, starts: Tensor, positions: Tensor, width: int, queries: Tensor) -> None:
        """Add what ended together.

        Args:
            ended: the hypotheses.
            starts, positions, width: how its rows lie; see `grid_of_groups`.
            queries: int64 [n]; the queries that they belong to.
        """
        self._ended.append(ended)
        grid = grid_of_groups(ended.keys, starts, positions, width)
        # Unsorted and without their hypotheses: all that stopping asks for is the last place's key.
        every = torch.cat([self.best[queries], grid], 1)
        self.best[queries] = every.topk(self.best.shape[1], dim=1, sorted=False).values

    def last(self, queries: Tensor) -> Tensor:
        """The key of the last place of each of `queries`; -inf while a place is free."""
        return self.best[queries].amin(1)

    def hypotheses(self) -> list[list[Hypothesis]]:
        """For each query its best hypotheses, best first; equal keys in the order of their tokens."""
        # Lists are made now, of what has a place only: most that ended on the way has none.
        last = self.best.amin(1)
        found: dict[int, list[tuple[float, Hypothesis]]] = defaultdict(list)
        for ended in self._ended:
            for query, key, hypothesis in ended.at_least(last):
                found[query].append((key, hypothesis))
        queries, count = self.best.shape
        ranked = [sorted(found[query], key=_rank)[:count] for query in range(queries)]
        return [[hypothesis for _, hypothesis in row] for row in ranked]


def _hypothesis(score: float, tokens: list[int], log_probs: list[float], documents: list[int]) -> Hypothesis:
    kept = [place for place, token in enumerate(tokens) if token != NO_TOKEN]
    return Hypothesis([tokens[i] for i in kept], score, [log_probs[i] for i in kept], documents)


def _rank(entry: tuple[float, Hypothesis]) -> tuple[float, list[int]]:
    # Tokens break ties, so that the order depends on no batch and no kernel.
    return -entry[0], entry[1].tokens
