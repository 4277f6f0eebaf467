"""The query side of a linear index, learned from labelled queries: a map of their vectors, and how much words count.

Knows unit vectors and lexical scores; knows no docid and no text. It moves the query side alone, so that documents
keep what they have, and those that come later are found as well as the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Lexical", "QuerySide", "fit_query_side", "mapped", "mean_reciprocal_rank"]

BATCH = 128
# Passages that a step ranks, at most; fewer are ranked as a whole.
MOST_PASSAGES = 16_384
# A passage nearer than this to the right one says nearly the same: it is no wrong answer.
NEAR_COPY = 0.95
# Weight of the squared distance from the identity.
RIDGE = 0.003
# The two numbers learn faster than the map: they move far in few steps, and cannot learn queries by heart.
NUMBERS_RATE = 3
DEPTH = 10

# Numbers of queries (int64 [n]) -> what their words are worth to all passages, float32 [n, N].
Lexical: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class QuerySide:
    """How a query's vector and its words become a score: `scale * unit(map @ q) . passage + words * lexical`.

    Attributes:
        map: float32 [d, d].
        scale: nats that a cosine of 1 is worth.
        words: what lexical scores are multiplied with.
    """

    map: Tensor
    scale: float
    words: float = 1.0

    @classmethod
    def untrained(cls, dim: int, temperature: float) -> QuerySide:
        """Vectors and words as they are."""
        return cls(torch.eye(dim), 1 / temperature)

    def scores(self, queries: Tensor, passages: Tensor, lexical: Tensor | None = None) -> Tensor:
        """Of passages [m, d] for queries [n, d], with their lexical scores [n, m]: [n, m]."""
        found: Tensor = self.scale * mapped(queries, self.map) @ passages.T
        return found if lexical is None else found + self.words * lexical


def mapped(vectors: Tensor, query_map: Tensor) -> Tensor:
    """Vectors [n, d] behind a map [d, d], of length 1: normalised before it and behind it, as a decoder's norms do."""
    width = vectors.shape[1:]
    found: Tensor = functional.layer_norm(functional.layer_norm(vectors, width) @ query_map.T, width)
    return found.div(width[0] ** 0.5)


def fit_query_side(
    queries: npt.NDArray[Any],
    gold: npt.NDArray[np.int64],
    passages: npt.NDArray[Any],
    lexical: Lexical | None = None,
    *,
    steps: int,
    temperature: float = 0.05,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> QuerySide:
    """The query side that ranks each query's passage before those of the other queries.

    Cross-entropy from the identity, with near-copies of the right passage left out of the wrong ones. Passages that
    no query asks for are no wrong answers: they would be pushed away from every query, and with them all passages
    that nobody has asked for yet.

    Args:
        queries: floats [n, d], unit length.
        gold: the row of each query's passage.
        passages: floats [N, d]; what the index makes of the passages, near unit length.
        lexical: of the queries by their numbers; None: there are no words.
    """
    asked, found = (torch.from_numpy(np.asarray(part, np.float32)) for part in (queries, passages))
    labels = _Labels(asked, torch.from_numpy(gold), found, lexical)
    identity, generator = torch.eye(asked.shape[1]), torch.Generator().manual_seed(seed)
    learned = identity.clone().requires_grad_()
    numbers = torch.tensor([-math.log(temperature), 0.0], requires_grad=True)
    rates = {learning_rate: [learned], NUMBERS_RATE * learning_rate: [numbers]}
    groups: list[dict[str, Any]] = [{"params": part, "lr": rate} for rate, part in rates.items()]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - step / steps)
        loss = labels.loss(learned, numbers, generator) + RIDGE * ((learned - identity) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    scale, words = numbers.detach().exp().tolist()
    return QuerySide(learned.detach(), scale, words)


@dataclass(frozen=True)
class _Labels:
    """Queries float32 [n, d], the rows of their passages int64 [n], all passages float32 [N, d], and their words."""

    asked: Tensor
    rows: Tensor
    found: Tensor
    lexical: Lexical | None

    @cached_property
    def wanted(self) -> Tensor:
        """The passages that any query asks for, ascending."""
        wanted: Tensor = torch.unique(self.rows)
        return wanted

    def loss(self, learned: Tensor, numbers: Tensor, generator: torch.Generator) -> Tensor:
        """The cross-entropy of a batch of queries, drawn anew."""
        batch = torch.randint(0, len(self.asked), (BATCH,), generator=generator)
        pool = _pool(self.wanted, self.rows[batch], generator)
        scores: Tensor = numbers[0].exp() * mapped(self.asked[batch], learned) @ self.found[pool].T
        if self.lexical is not None:
            scores = scores + numbers[1].exp() * self.lexical(batch)[:, pool]
        return _loss(scores, self.found, self.rows[batch], pool)


def mean_reciprocal_rank(
    side: QuerySide,
    queries: npt.NDArray[Any],
    gold: npt.NDArray[np.int64],
    passages: npt.NDArray[Any],
    lexical: Lexical | None = None,
) -> float:
    """Of each query's passage among all, 0 beyond the tenth place; arguments as in `fit_query_side`."""
    asked = torch.from_numpy(np.asarray(queries, np.float32))
    found, total = torch.from_numpy(np.asarray(passages, np.float32)), 0.0
    for begin in range(0, len(asked), BATCH):
        batch = torch.arange(begin, min(begin + BATCH, len(asked)))
        scores = side.scores(asked[batch], found, None if lexical is None else lexical(batch))
        right = scores.gather(1, torch.from_numpy(gold)[batch][:, None])
        ranks = (scores > right).sum(1) + 1
        total += float((1 / ranks)[ranks <= DEPTH].sum())
    return total / max(len(asked), 1)


def _pool(wanted: Tensor, gold: Tensor, generator: torch.Generator) -> Tensor:
    """The passages that a step ranks, ascending: all that are wanted, or the batch's own and random ones of them."""
    if len(wanted) <= MOST_PASSAGES:
        return wanted
    drawn = torch.randint(0, len(wanted), (MOST_PASSAGES - len(gold),), generator=generator)
    pool: Tensor = torch.unique(torch.cat([gold, wanted[drawn]]))
    return pool


def _loss(scores: Tensor, passages: Tensor, gold: Tensor, pool: Tensor) -> Tensor:
    """Cross-entropy of the scores of the pool, near-copies of the right passage left out."""
    places = torch.searchsorted(pool, gold)
    right, ranked = (functional.normalize(passages[rows], dim=1) for rows in (gold, pool))
    copies = right @ ranked.T > NEAR_COPY
    copies[torch.arange(len(gold)), places] = False
    return functional.cross_entropy(scores.masked_fill(copies, -torch.inf), places)
