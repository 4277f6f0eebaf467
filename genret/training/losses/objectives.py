"""Losses beyond cross-entropy as objectives: what they need of the model, and in which batches.

Knows backbones, constraints and search; the arithmetic is in `losses` and `losses_ranking`. An objective that
ranks candidates weighs a unit an example (`RankingLoss.weigh`).
"""

from __future__ import annotations

import torch

from genret.models.backbone import Backbone
from genret.training.examples.batch import Batch, CrossEntropy, Encode, repeated
from genret.training.losses.losses import LossSums, consistency
from genret.training.losses.ranked_candidates import RankedCandidates
from genret.training.losses.ranking import Reward, margin_loss, ndcg, policy_gradient

__all__ = ["Consistency", "MarginRanking", "PolicyGradient"]


class Consistency:
    """Cross-entropy of two passes with different dropout, and how far they are apart.

    Liang et al., "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021, section 2, equation 4.
    """

    def __init__(self, weight: float, label_smoothing: float = 0.0) -> None:
        self.consistency, self.cross_entropy = weight, CrossEntropy(label_smoothing)

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        twice = repeated(batch, batch.targets.repeat(2, 1), batch.weights.repeat(2, 1), 2)
        logits = backbone.target_logits(encode(twice), twice.targets)
        both = self.cross_entropy.of(logits, twice)
        first, second = logits.chunk(2)
        apart = consistency(first, second, batch.weights)
        return LossSums(both.total / 2 + self.consistency * apart.total, batch.weights.sum())


class MarginRanking:
    """A right docid ahead of every wrong candidate by a margin, beside its cross-entropy (LTRGR, see `margin_loss`)."""

    def __init__(self, candidates: RankedCandidates, margin: float, cross_entropy: float) -> None:
        self.candidates, self.margin, self.cross_entropy = candidates, margin, cross_entropy

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        scored = self.candidates(backbone, encode, batch)
        ranked = margin_loss(scored.scores, scored.relevant, scored.real, margin=self.margin)
        return LossSums(ranked.total + self.cross_entropy * scored.cross_entropy, ranked.weight)


class PolicyGradient:
    """The expected reward of rankings of candidates, beside cross-entropy (see `policy_gradient`).

    Args:
        reward: of a ranking; nDCG@10 unless another measure is given.
    """

    def __init__(
        self,
        candidates: RankedCandidates,
        samples: int,
        cross_entropy: float,
        *,
        seed: int,
        reward: Reward = ndcg,
    ) -> None:
        self.candidates, self.samples, self.cross_entropy = candidates, samples, cross_entropy
        self.seed, self.reward = seed, reward

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        scored = self.candidates(backbone, encode, batch)
        ranked = policy_gradient(
            scored.scores,
            scored.relevant.float(),
            scored.real,
            reward=self.reward,
            samples=self.samples,
            generator=torch.Generator().manual_seed(self.seed * 1_000_003 + batch.step),
        )
        return LossSums(ranked.total + self.cross_entropy * scored.cross_entropy, ranked.weight)
