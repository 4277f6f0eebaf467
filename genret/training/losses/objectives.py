"""Losses beyond cross-entropy as objectives: what they need of the model, and in which batches.

Knows backbones, constraints and search; the arithmetic is in `losses` and `losses_ranking`. An objective that
ranks candidates weighs a unit an example, whatever the docids' lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from docid import DocidTable
from genret.config import Count, Weight, check_bounds
from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.training.examples.batch import Batch, CrossEntropy, Encode, Objective, repeated
from genret.training.losses.candidates import Candidates, Finder
from genret.training.losses.losses import LossSums, consistency
from genret.training.losses.ranking import Reward, margin_loss, ndcg, policy_gradient
from genret.training.losses.sampled import Proposal, ProposalName, SampledSoftmax, token_weights

__all__ = ["Consistency", "LossOptions", "MarginRanking", "PolicyGradient", "make_objective"]


@dataclass(frozen=True)
class LossOptions:
    """Which loss the decoder is trained on.

    Attributes:
        kind: "cross-entropy"; "consistency" of two dropout passes beside it; "margin" between the right docid and
            wrong ones; "policy-gradient" over rankings of all of them; "sampled": cross-entropy over sampled
            tokens, for vocabularies of millions (see `SampledSoftmax`).
        consistency: weight of the consistency of two passes.
        margin: between the scores of a right docid and of a wrong one.
        cross_entropy: weight of the docid's cross-entropy beside "margin" and "policy-gradient".
        candidates: wrong docids of an example, at most.
        run: a run over the training queries, whose passages for an example's text give the wrong docids, best
            first; an example of another text has its cross-entropy alone. None: the model's own beams, searched
            anew for every batch.
        samples: rankings drawn for each example.
        negatives: tokens drawn for each step of "sampled".
        proposal: what they are drawn from (see `token_weights`).
    """

    kind: Literal["cross-entropy", "consistency", "margin", "policy-gradient", "sampled"] = "cross-entropy"
    consistency: Weight = 1.0
    margin: Weight = 1.0
    cross_entropy: Weight = 1.0
    candidates: Count = 10
    run: str | None = None
    samples: Annotated[int, Interval(ge=2, le=1 << 16)] = 16
    negatives: Count = 8192
    proposal: ProposalName = "uniform"

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.run is None:
            return
        if not self.ranks:
            raise InputError(f"run: only margin and policy-gradient rank candidates; found kind {self.kind}.")
        if not Path(self.run).is_file():
            raise InputError(f"run: {self.run}: no such file; expected a run over the training queries.")

    @property
    def ranks(self) -> bool:
        """Whether it ranks candidates."""
        return self.kind in ("margin", "policy-gradient")


def make_objective(
    options: LossOptions,
    table: DocidTable | None,
    backbone: Backbone,
    *,
    label_smoothing: float,
    seed: int,
    find: Finder | None = None,
) -> Objective:
    """The objective of `options` for a backbone that emits the docids of `table`, or n-grams where that is None.

    `find` gives the candidates of a loss that ranks them.

    Raises:
        InputError: labels are to be smoothed where the loss does not see the whole vocabulary.
    """
    if options.kind == "cross-entropy":
        return CrossEntropy(label_smoothing)
    if options.kind == "consistency":
        return Consistency(options.consistency, label_smoothing)
    eos = backbone.eos_token_id
    if options.kind == "sampled":
        if table is None:
            raise ValueError("a sampled loss draws tokens of docids; give their table.")
        if label_smoothing:
            raise InputError(
                f"label_smoothing_factor: a sampled softmax has none, found {label_smoothing}; leave it out."
            )
        weights = token_weights(options.proposal, backbone.vocab_size, table, eos)
        return SampledSoftmax(Proposal(weights), options.negatives, seed=seed)
    if find is None:
        raise ValueError(f"a loss of kind {options.kind} ranks candidates; give `find`.")
    candidates = Candidates(find, options.candidates)
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


class MarginRanking:
    """A right docid ahead of every wrong candidate by a margin, beside its cross-entropy (LTRGR, see `margin_loss`)."""

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
    """The expected reward of rankings of candidates, beside cross-entropy (see `policy_gradient`).

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
