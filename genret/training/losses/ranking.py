"""Losses over whole candidates: margins, and policy gradients over rankings.

Knows scores and relevance of candidates; knows no tokens and no model. Each gives a sum and its weight, one unit a
query.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genret.training.losses.losses import LossSums

__all__ = ["Reward", "margin_loss", "ndcg", "plackett_luce_log_prob", "policy_gradient", "sample_rankings"]

# Relevance of candidates in ranked order, [..., K] with zeros for padding, to the worth of each ranking, [...].
Reward = Callable[[Tensor], Tensor]


def margin_loss(scores: Tensor, relevant: Tensor, real: Tensor, *, margin: float) -> LossSums:
    """How far every other candidate comes within `margin` of the best relevant one, summed (LTRGR's rank loss).

    Li et al., "Learning to Rank in Generative Retrieval", AAAI 2024, section 3.2, equations 3 and 4: it takes the
    best of the others and a random one; here all that were decoded count, which is its expectation's support.
    A query without a relevant or without another candidate has no loss.

    Args:
        scores: float [B, K].
        relevant: bool [B, K].
        real: bool [B, K]; False for padding.
    """
    best = scores.masked_fill(~(relevant & real), -torch.inf).amax(1, keepdim=True)
    others = real & ~relevant
    usable = torch.isfinite(best[:, 0]) & others.any(1)
    gaps = torch.relu(margin - torch.where(usable[:, None], best, 0.0) + scores)
    per_query = torch.where(others & usable[:, None], gaps, torch.zeros_like(gaps)).sum(1)
    return LossSums(per_query.sum(), scores.new_tensor(float(len(scores))))


def sample_rankings(scores: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """`samples` rankings of each row's candidates from the Plackett-Luce model of `scores` [B, K]: int64 [B, S, K].

    Scores with Gumbel noise, sorted (Yellott, 1977).
    """
    uniform = torch.rand((len(scores), samples, scores.shape[1]), generator=generator).clamp_min(1e-20)
    noise = -torch.log(-torch.log(uniform)).to(scores)
    return (scores.detach()[:, None] + noise).argsort(-1, descending=True)


def plackett_luce_log_prob(scores: Tensor, rankings: Tensor) -> Tensor:
    """log p of rankings int64 [B, S, K] under scores [B, K]: [B, S]; candidates of score -inf are no part of it.

    p = prod_i exp(s_i) / sum_{j >= i} exp(s_j) (Plackett, 1975).
    """
    placed = scores[:, None].expand(-1, rankings.shape[1], -1).gather(-1, rankings)
    left = placed.flip(-1).logcumsumexp(-1).flip(-1)
    return torch.where(torch.isfinite(placed), placed - left, torch.zeros_like(placed)).sum(-1)


def ndcg(relevance: Tensor, k: int = 10) -> Tensor:
    """nDCG@k of relevance in ranked order, [..., K]; zero where nothing is relevant."""
    depth = min(k, relevance.shape[-1])
    discount = 1 / torch.log2(torch.arange(depth, dtype=torch.float32) + 2)
    gain = (relevance[..., :depth] * discount.to(relevance)).sum(-1)
    best = relevance.sort(-1, descending=True).values[..., :depth]
    ideal = (best * discount.to(relevance)).sum(-1)
    return torch.where(ideal > 0, gain / ideal.clamp_min(1e-12), torch.zeros_like(gain))


def policy_gradient(
    scores: Tensor,
    relevance: Tensor,
    real: Tensor,
    *,
    reward: Reward,
    samples: int,
    generator: torch.Generator,
) -> LossSums:
    """A surrogate whose gradient is that of the expected reward of rankings, less a leave-one-out baseline.

    Gao et al., "Policy-Gradient Training of Language Models for Ranking" (Neural PG-RANK), 2023, section 4: the
    model's scores make a Plackett-Luce policy over the candidates; each sampled ranking's reward is compared with
    the mean of the other samples' (equation 7), which leaves the expected gradient as it is.

    Args:
        scores: float [B, K], differentiable.
        relevance: float [B, K], grades from 0.
        real: bool [B, K]; padding takes no place in a ranking.
        reward: of relevance in ranked order.
        samples: rankings of each query, at least 2.
    """
    masked = scores.masked_fill(~real, -torch.inf)
    rankings = sample_rankings(masked, samples, generator)
    graded = torch.where(real, relevance, torch.zeros_like(relevance))
    ranked = graded[:, None].expand(-1, samples, -1).gather(-1, rankings)
    worth = reward(ranked)  # [B, S]
    baseline = (worth.sum(1, keepdim=True) - worth) / (samples - 1)
    loss = -((worth - baseline) * plackett_luce_log_prob(masked, rankings)).mean(1)
    return LossSums(loss.sum(), scores.new_tensor(float(len(scores))))
