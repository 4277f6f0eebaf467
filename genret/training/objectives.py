"""Losses beyond cross-entropy as objectives: what they need of the model, and in which batches.

Knows backbones, constraints and search; the arithmetic is in `losses` and `losses_ranking`. An objective that
ranks candidates weighs a unit an example, whatever the docids' lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from docid import DocidTable
from genret.config import at_least
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.training.batch import Batch, CrossEntropy, Encode, Objective, SourceTokens
from genret.training.losses import LossSums, consistency
from genret.training.losses_ranking import Reward, margin_loss, ndcg, policy_gradient
from genret.training.sampled import Proposal, ProposalName, SampledSoftmax, token_weights

__all__ = ["Candidates", "Consistency", "LossOptions", "MarginRanking", "PolicyGradient", "make_objective"]


@dataclass(frozen=True)
class LossOptions:
    """Which loss the decoder is trained on.

    Attributes:
        kind: "cross-entropy"; "consistency" of two dropout passes beside it; "margin" between the right docid and
            decoded ones; "policy-gradient" over rankings of decoded ones; "sampled": cross-entropy over sampled
            tokens, for vocabularies of millions (see `SampledSoftmax`).
        consistency: weight of the consistency of two passes.
        margin: between the scores of a right docid and of a wrong one.
        cross_entropy: weight of the docid's cross-entropy beside "margin" and "policy-gradient".
        candidates: docids decoded for each example, beside its own.
        samples: rankings drawn for each example.
        negatives: tokens drawn for each step of "sampled".
        proposal: what they are drawn from (see `token_weights`).
    """

    kind: Literal["cross-entropy", "consistency", "margin", "policy-gradient", "sampled"] = "cross-entropy"
    consistency: float = 1.0
    margin: float = 1.0
    cross_entropy: float = 1.0
    candidates: int = 10
    samples: int = 16
    negatives: int = 8192
    proposal: ProposalName = "uniform"

    def __post_init__(self) -> None:
        at_least(self, consistency=0, margin=0, cross_entropy=0, candidates=1, samples=2, negatives=1)


def make_objective(
    options: LossOptions, table: DocidTable, backbone: Backbone, *, label_smoothing: float, seed: int
) -> Objective:
    """The objective of `options` for a backbone that emits the docids of `table`.

    Raises:
        InputError: labels are to be smoothed where the loss does not see the whole vocabulary.
    """
    if options.kind == "cross-entropy":
        return CrossEntropy(label_smoothing)
    if options.kind == "consistency":
        return Consistency(options.consistency, label_smoothing)
    eos = backbone.eos_token_id
    if options.kind == "sampled":
        if label_smoothing:
            raise InputError(
                f"label_smoothing_factor: a sampled softmax has none, found {label_smoothing}; leave it out."
            )
        weights = token_weights(options.proposal, backbone.vocab_size, table, eos)
        return SampledSoftmax(Proposal(weights), options.negatives, seed=seed)
    candidates = Candidates(TrieConstraint(table.trie(eos)), options.candidates)
    if options.kind == "margin":
        return MarginRanking(candidates, options.margin, options.cross_entropy)
    return PolicyGradient(candidates, options.samples, options.cross_entropy, seed=seed)


class Consistency:
    """Cross-entropy of two passes with different dropout, and how far they are apart.

    Liang et al., "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021, section 2, equation 4.
    """

    def __init__(self, weight: float, label_smoothing: float = 0.0) -> None:
        self.consistency, self.cross_entropy = weight, CrossEntropy(label_smoothing)

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> LossSums:
        twice = repeated(batch, batch.targets.repeat(2, 1), batch.weights.repeat(2, 1), 2)
        logits = backbone.target_logits(encode(twice), twice.targets)
        both = self.cross_entropy.of(logits, twice)
        first, second = logits.chunk(2)
        apart = consistency(first, second, batch.weights)
        return LossSums(both.total / 2 + self.consistency * apart.total, batch.weights.sum())


@dataclass(frozen=True)
class Scored:
    """Candidates of a batch: `scores` float [B, K] with gradient, `relevant` and `real` bool [B, K]; own first."""

    scores: Tensor
    relevant: Tensor
    real: Tensor
    cross_entropy: Tensor


class Candidates:
    """The docids that a beam search finds for each example, with the example's own, scored with gradients.

    A candidate's score is the log-probability of its tokens, the end included, over the full vocabulary. One is
    relevant if it is the example's own docid.
    """

    def __init__(self, constraint: TrieConstraint, count: int) -> None:
        self.constraint, self.count = constraint, count

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> Scored:
        own = [
            target[weight > 0].tolist() for target, weight in zip(batch.targets, batch.weights, strict=True)
        ]
        found = self._search(backbone, encode, batch)
        listed = [
            [docid, *[one for one in others if one != docid][: self.count]]
            for docid, others in zip(own, found, strict=True)
        ]
        width = max(map(len, listed))
        targets, weights = _padded(listed, width, backbone.pad_token_id, batch.targets.device)
        wide = repeated(batch, targets, weights, width, interleave=True)
        logits = backbone.target_logits(encode(wide), targets)
        log_probs = torch.log_softmax(logits.float(), -1).gather(-1, targets[..., None])[..., 0]
        scores = torch.where(weights > 0, log_probs, torch.zeros_like(log_probs)).sum(1).view(-1, width)
        real = (weights.sum(1) > 0).view(-1, width)
        relevant = torch.zeros_like(real)
        relevant[:, 0] = True
        return Scored(scores, relevant, real, -scores[:, 0].sum())

    def _search(self, backbone: Any, encode: Encode, batch: Batch) -> list[list[list[int]]]:
        """Docids by beam search, without dropout and without gradients."""
        training = backbone.training
        backbone.eval()
        with torch.no_grad():
            found = beam_search(backbone, encode(batch), self.constraint, self.count + 1)
        backbone.train(training)
        return [[one.tokens for one in hypotheses] for hypotheses in found]


class MarginRanking:
    """A right docid ahead of every decoded one by a margin, beside its cross-entropy (LTRGR, see `margin_loss`)."""

    def __init__(self, candidates: Candidates, margin: float, cross_entropy: float) -> None:
        self.candidates, self.margin, self.cross_entropy = candidates, margin, cross_entropy

    def weight(self, batch: Batch) -> Tensor:
        """One unit an example."""
        return torch.tensor(float(len(batch.targets)))

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> LossSums:
        scored = self.candidates(backbone, encode, batch)
        ranked = margin_loss(scored.scores, scored.relevant, scored.real, margin=self.margin)
        return LossSums(ranked.total + self.cross_entropy * scored.cross_entropy, ranked.weight)


class PolicyGradient:
    """The expected reward of rankings of decoded docids, beside cross-entropy (see `policy_gradient`).

    Args:
        reward: of a ranking; nDCG@10 unless another measure is given.
    """

    def __init__(
        self,
        candidates: Candidates,
        samples: int,
        cross_entropy: float,
        *,
        seed: int,
        reward: Reward = ndcg,
    ) -> None:
        self.candidates, self.samples, self.cross_entropy = candidates, samples, cross_entropy
        self.seed, self.reward = seed, reward

    def weight(self, batch: Batch) -> Tensor:
        """One unit an example."""
        return torch.tensor(float(len(batch.targets)))

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> LossSums:
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


def repeated(
    batch: Batch, targets: Tensor, weights: Tensor, times: int, *, interleave: bool = False
) -> Batch:
    """Each example `times` times with the given targets: the batch over again, or each example's side by side."""
    rows = list(range(len(batch.targets)))
    rows = [row for row in rows for _ in range(times)] if interleave else rows * times
    tokens = batch.source_tokens
    return Batch(
        [batch.sources[row] for row in rows] if batch.sources else [],
        targets,
        weights,
        batch.documents[rows],
        [batch.tasks[row] for row in rows],
        batch.step,
        None if tokens is None else SourceTokens(tokens.ids[rows], tokens.mask[rows]),
    )


def _padded(
    listed: Sequence[Sequence[Sequence[int]]], width: int, pad: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Token lists as targets int64 [B * width, T] and weights of 1 where they are real."""
    length = max(len(docid) for docids in listed for docid in docids)
    targets = torch.full((len(listed) * width, length), pad)
    weights = torch.zeros(targets.shape)
    for row, docids in enumerate(listed):
        for place, docid in enumerate(docids):
            targets[row * width + place, : len(docid)] = torch.tensor(docid)
            weights[row * width + place, : len(docid)] = 1.0
    return targets.to(device), weights.to(device)
