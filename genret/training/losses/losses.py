"""Losses over docid tokens, each as a sum of weighted token losses and the weight that it stands for.

Knows logits and targets; knows no model and no text. Sum and weight stay apart so that batches of any size,
from any number of processes, add up to the same mean.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["LossSums", "consistency", "cross_entropy", "sampled_cross_entropy"]


class LossSums(NamedTuple):
    """Scalars float32: the sum of weighted token losses, and the sum of the weights."""

    total: Tensor
    weight: Tensor

    @property
    def mean(self) -> Tensor:
        """Loss per unit of weight."""
        return self.total / self.weight


def cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0
) -> LossSums:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016, section 7).

    Args:
        logits: float [B, T, V].
        targets: int64 [B, T]; any value where the weight is zero.
        weights: float32 [B, T]; zero for padding.
        label_smoothing: the share of the target spread evenly over the vocabulary.
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1)  # [B, T, V]
    losses = -log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # [B, T]
    if label_smoothing:
        losses = (1 - label_smoothing) * losses - label_smoothing * log_probs.mean(-1)
    return _sums(losses, weights)


def sampled_cross_entropy(own: Tensor, negatives: Tensor, hits: Tensor, weights: Tensor) -> LossSums:
    """Cross-entropy with the softmax's normaliser estimated from sampled tokens.

    Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", ACL 2015, section 3.1, after
    Bengio and Senecal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model",
    2008, section III. The target counts once, for certain; every other token drawn counts by one over how often it is
    drawn on average, so that the estimate of the normaliser has the right expectation. Its logarithm is too low by a
    term that falls as one over the number of draws.

    Args:
        own: float [n]; the targets' logits.
        negatives: float [n, S]; logits of the drawn tokens, less the logarithm of how often each is drawn in S draws.
        hits: bool [n, S]; where the drawn token is the target itself, which is not counted again.
        weights: float32 [n], above 0.
    """
    others = negatives.float().masked_fill(hits, -torch.inf)
    normaliser = torch.logsumexp(torch.cat([own.float()[:, None], others], 1), 1)
    return _sums(normaliser - own.float(), weights)


def consistency(first: Tensor, second: Tensor, weights: Tensor) -> LossSums:
    """Half the sum of both Kullback-Leibler divergences between two predictions of the same tokens.

    Liang et al., "R-Drop", NeurIPS 2021, section 2, equation 2. `first` and `second` are logits [B, T, V],
    `weights` [B, T].
    """
    one, other = (torch.log_softmax(logits.float(), dim=-1) for logits in (first, second))
    losses = ((one.exp() - other.exp()) * (one - other)).sum(-1) / 2  # [B, T]
    return _sums(losses, weights)


def _sums(losses: Tensor, weights: Tensor) -> LossSums:
    # A loss that is not finite at a padded place must not reach the sum: 0 * inf is NaN.
    kept = torch.where(weights > 0, losses * weights, torch.zeros_like(losses))
    return LossSums(kept.sum(), weights.sum())
