"""Losses over whole candidates: margins, and policy gradients over rankings.

Knows scores and relevance of candidates; knows no tokens and no model. Each gives a sum and its weight, one unit a
query.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from genret.training.losses.losses import LossSums

__all__ = [
    "Reward",
    "margin_loss",
    "ndcg",
    "plackett_luce_log_prob",
    "policy_gradient",
    "preference_loss",
    "prefix_margin_loss",
    "prefix_shares",
    "sample_rankings",
]

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


def prefix_shares(lengths: Tensor, prefixes: Sequence[int], beta: float) -> tuple[Tensor, Tensor]:
    """Which prefixes count, int64 [B, P], and what share of the whole docid's margin each is due, float32 [B, P].

    Zeng et al., "Scalable and Effective Generative Information Retrieval" (RIPOR), WWW 2024, section 3.3: the share
    grows with the length i and is concave, (1 - beta / i) / (1 - beta / n), so that it is 1 for all n tokens.

    Args:
        lengths: int64 [B]; tokens of each right docid.
        prefixes: lengths that are asked for; the whole docid always is, and longer ones count as it.
    """
    asked = torch.tensor([*prefixes], dtype=torch.int64, device=lengths.device)
    chosen = torch.cat([torch.minimum(asked, lengths[:, None]), lengths[:, None]], 1)
    return chosen, (1 - beta / chosen) / (1 - beta / lengths[:, None])


def prefix_margin_loss(
    prefixes: Tensor, same: Tensor, real: Tensor, chosen: Tensor, shares: Tensor, *, margin: float
) -> LossSums:
    """`margin_loss` at prefixes of the docids: summed over the candidates, averaged over the prefixes (RIPOR).

    What a beam search keeps is decided by prefixes. The golden margin of RIPOR's teacher is one number here, beyond
    which nothing is lost: without a teacher nothing says by how much a docid should lead. A candidate that begins like
    the right docid cannot be told from it by the prefix, and has no loss there.

    Args:
        prefixes: float [B, K, T]; log-probabilities of each candidate's first t + 1 tokens, the right docid first.
        same: bool [B, K, T]; whether these tokens are the right docid's.
        real: bool [B, K]; False for padding.
        chosen, shares: [B, P]; see `prefix_shares`.
    """
    places = (chosen - 1)[:, None].expand(-1, prefixes.shape[1], -1)
    scores, alike = prefixes.gather(2, places), same.gather(2, places)  # [B, K, P]
    gaps = torch.relu(margin * shares[:, None] - scores[:, :1] + scores)
    counted = real[..., None] & ~alike
    per_query = torch.where(counted, gaps, torch.zeros_like(gaps)).sum(1).mean(1)
    return LossSums(per_query.sum(), prefixes.new_tensor(float(len(prefixes))))


def preference_loss(scores: Tensor, reference: Tensor, real: Tensor, *, beta: float) -> LossSums:
    """How surely the right docid is preferred to each other one, relative to a reference model; mean over the pairs.

    Rafailov et al., "Direct Preference Optimization", NeurIPS 2023, equation 7, over pairs of docids as in Mekonnen et
    al., "Lightweight and Direct Document Relevance Optimization for Generative Information Retrieval" (DDRO), SIGIR 2025:
    -log sigmoid(beta ((s+ - r+) - (s- - r-))). A query without other candidates has no loss.

    Args:
        scores: float [B, K]; log-probabilities by the model, the right docid's first.
        reference: float [B, K]; the same by the reference.
        real: bool [B, K]; False for padding.
        beta: how dear it is to leave the reference.
    """
    gained = scores - reference
    losses = -functional.logsigmoid(beta * (gained[:, :1] - gained[:, 1:]))
    counted = real[:, 1:]
    total = torch.where(counted, losses, torch.zeros_like(losses)).sum(1)
    per_query = total / counted.sum(1).clamp_min(1)
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
