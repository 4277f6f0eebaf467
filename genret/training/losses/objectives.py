"""Losses beyond cross-entropy as objectives: what they need of the model, and in which batches.

Knows backbones, constraints and search; the arithmetic is in `losses` and `losses_ranking`. An objective that
ranks candidates weighs a unit an example (`RankingLoss.weigh`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from genret.models.backbone import Backbone, Encoded
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.pretrained import PretrainedBackbone
from genret.models.weight_adapters.adapters import Adapters
from genret.training.examples.batch import Batch, CrossEntropy, Encode, repeated
from genret.training.losses.losses import LossSums, consistency
from genret.training.losses.ranked_candidates import RankedCandidates
from genret.training.losses.ranking import (
    Reward,
    margin_loss,
    ndcg,
    policy_gradient,
    preference_loss,
    prefix_margin_loss,
    prefix_shares,
)

__all__ = ["Consistency", "MarginRanking", "PolicyGradient", "Preference", "PrefixMargins"]


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


class PrefixMargins:
    """A right docid ahead of every wrong candidate at several prefixes, beside its cross-entropy (`prefix_margin_loss`).

    Args:
        prefixes: lengths, besides the whole docid.
        beta: see `prefix_shares`.
    """

    def __init__(
        self,
        candidates: RankedCandidates,
        margin: float,
        cross_entropy: float,
        prefixes: Sequence[int],
        beta: float,
    ) -> None:
        self.candidates, self.margin, self.cross_entropy = candidates, margin, cross_entropy
        self.prefixes, self.beta = prefixes, beta

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        scored = self.candidates(backbone, encode, batch)
        chosen, shares = prefix_shares(scored.lengths, self.prefixes, self.beta)
        ranked = prefix_margin_loss(
            scored.prefixes, scored.same, scored.real, chosen, shares, margin=self.margin
        )
        return LossSums(ranked.total + self.cross_entropy * scored.cross_entropy, ranked.weight)


class Preference:
    """A right docid preferred to wrong ones more surely than by the model as it was (see `preference_loss`).

    The reference is the model itself with its adapters off, where it has some, or a frozen copy made here: before
    training, and before a resumed run reads its checkpoint.
    """

    def __init__(
        self, candidates: RankedCandidates, backbone: Backbone, beta: float, cross_entropy: float
    ) -> None:
        self.candidates, self.beta, self.cross_entropy = candidates, beta, cross_entropy
        self._copy = None if _adapters(backbone) is not None else _frozen_copy(backbone)

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        listed = self.candidates.listed(backbone, encode, batch)
        reference = self._reference(backbone, encode, batch, listed)
        scored = self.candidates.scored(backbone, encode, batch, listed)
        preferred = preference_loss(scored.scores, reference, scored.real, beta=self.beta)
        return LossSums(preferred.total + self.cross_entropy * scored.cross_entropy, preferred.weight)

    @torch.no_grad()
    def _reference(
        self, backbone: Backbone, encode: Encode, batch: Batch, listed: Sequence[Sequence[Sequence[int]]]
    ) -> Tensor:
        if self._copy is not None:
            copied = self._copy
            return self.candidates.scored(copied, partial(_encoded, copied), batch, listed).scores
        adapters, training = _adapters(backbone), backbone.training
        assert adapters is not None
        backbone.eval()
        with adapters.off():
            scores = self.candidates.scored(backbone, encode, batch, listed).scores
        backbone.train(training)
        return scores


def _adapters(backbone: Backbone) -> Adapters | None:
    return backbone.adapters if isinstance(backbone, PretrainedBackbone) else None


def _frozen_copy(backbone: Backbone) -> Backbone:
    made = copy.deepcopy(backbone).eval()
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    return made


def _encoded(backbone: Backbone, batch: Batch) -> Encoded:
    """A batch's sources, read by another model than the one that is trained."""
    if batch.source_tokens is None:
        return backbone.encode(batch.sources)
    assert isinstance(backbone, EncoderDecoderBackbone)  # nothing else reads packed examples
    return backbone.encode_ids(*batch.source_tokens)


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
