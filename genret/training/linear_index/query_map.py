"""A linear map of query vectors, learned from labelled queries: the cheapest teacher that labels can make.

Knows unit vectors; knows no docid and no text. It moves the query side alone, so that passages keep their vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["fit_query_map"]

BATCH = 128
# Passages that a step ranks, at most; a small corpus is ranked as a whole.
MOST_PASSAGES = 16_384
# A passage nearer than this to the right one says nearly the same: it is no wrong answer.
NEAR_COPY = 0.95
# Weight of the squared distance from the identity.
RIDGE = 0.003


def fit_query_map(
    queries: npt.NDArray[Any],
    gold: npt.NDArray[np.int64],
    passages: npt.NDArray[Any],
    *,
    steps: int,
    temperature: float = 0.05,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Tensor:
    """A matrix [d, d] such that `map @ query` is nearest to the query's passage among all of them.

    Cross-entropy of inner products over `temperature`, from the identity, with near-copies of the right passage
    left out of the others.

    Args:
        queries: floats [n, d], unit length.
        gold: the row of each query's passage.
        passages: floats [N, d], unit length.
    """
    asked = torch.from_numpy(np.asarray(queries, np.float32))
    found = torch.from_numpy(np.asarray(passages, np.float32))
    rows = torch.from_numpy(gold)
    identity = torch.eye(asked.shape[1])
    learned = identity.clone().requires_grad_()
    optimizer = torch.optim.AdamW([learned], weight_decay=0.0)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 - step / steps)
        batch = torch.randint(0, len(asked), (BATCH,), generator=generator)
        loss = _loss(asked[batch] @ learned.T, rows[batch], found, temperature, generator)
        loss = loss + RIDGE * ((learned - identity) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return learned.detach()


def _loss(
    mapped: Tensor, gold: Tensor, passages: Tensor, temperature: float, generator: torch.Generator
) -> Tensor:
    """Cross-entropy over all passages, or over the batch's own and random ones."""
    right = passages[gold]
    if len(passages) > MOST_PASSAGES:
        drawn = torch.randint(0, len(passages), (MOST_PASSAGES - len(gold),), generator=generator)
        pool, gold = torch.unique(torch.cat([gold, drawn]), return_inverse=True)
        passages, gold = passages[pool], gold[: len(right)]
    scores = mapped @ passages.T / temperature  # [B, P]
    copies = right @ passages.T > NEAR_COPY
    copies[torch.arange(len(gold)), gold] = False
    return functional.cross_entropy(scores.masked_fill(copies, -torch.inf), gold)
