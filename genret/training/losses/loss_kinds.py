"""Losses by the names that configurations use, each with its options.

A further loss is a frozen dataclass that inherits from `Loss` or `RankingLoss`, and an entry in `LOSSES`; a guest's
needs no entry (see `genret.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Interval

from genret.config import Count, Weight
from genret.errors import InputError
from genret.plugins import Door
from genret.training.examples.batch import CrossEntropy, Objective
from genret.training.losses.base import Loss, RankingLoss, Training
from genret.training.losses.objectives import Consistency, MarginRanking, PolicyGradient
from genret.training.losses.sampled import Proposal, ProposalName, SampledSoftmax, token_weights

__all__ = ["LOSSES", "LOSS_DOOR", "Loss", "RankingLoss", "Training", "make_loss"]


@dataclass(frozen=True)
class CrossEntropyLoss(Loss):
    """The docid's cross-entropy, teacher-forced."""

    name: ClassVar[str] = "cross-entropy"

    def objective(self, training: Training) -> Objective:
        return CrossEntropy(training.label_smoothing)


@dataclass(frozen=True)
class ConsistencyLoss(Loss):
    """Cross-entropy, and the consistency of two dropout passes (see `Consistency`).

    Attributes:
        consistency: its weight.
    """

    name: ClassVar[str] = "consistency"
    consistency: Weight = 1.0

    def objective(self, training: Training) -> Objective:
        return Consistency(self.consistency, training.label_smoothing)


@dataclass(frozen=True)
class MarginLoss(RankingLoss):
    """The right docid ahead of wrong ones (see `MarginRanking`).

    Attributes:
        margin: between the scores of a right docid and of a wrong one.
    """

    name: ClassVar[str] = "margin"
    margin: Weight = 1.0

    def objective(self, training: Training) -> Objective:
        return MarginRanking(self.found(training), self.margin, self.cross_entropy)


@dataclass(frozen=True)
class PolicyGradientLoss(RankingLoss):
    """The expected reward of rankings of all candidates (see `PolicyGradient`).

    Attributes:
        samples: rankings drawn for each example.
    """

    name: ClassVar[str] = "policy-gradient"
    samples: Annotated[int, Interval(ge=2, le=1 << 16)] = 16

    def objective(self, training: Training) -> Objective:
        return PolicyGradient(self.found(training), self.samples, self.cross_entropy, seed=training.seed)


@dataclass(frozen=True)
class SampledLoss(Loss):
    """Cross-entropy over sampled tokens, for vocabularies of millions (see `SampledSoftmax`).

    Attributes:
        negatives: tokens drawn for each step.
        proposal: what they are drawn from (see `token_weights`).
    """

    name: ClassVar[str] = "sampled"
    by_rows: ClassVar[bool] = True
    of_docids: ClassVar[bool] = True
    negatives: Count = 8192
    proposal: ProposalName = "uniform"

    def objective(self, training: Training) -> Objective:
        if training.label_smoothing:
            raise InputError(
                "label_smoothing_factor: a sampled softmax has none, found "
                f"{training.label_smoothing}; leave it out."
            )
        if training.table is None:
            raise ValueError("a sampled loss draws tokens of docids; give their table.")
        backbone = training.backbone
        weights = token_weights(self.proposal, backbone.vocab_size, training.table, backbone.eos_token_id)
        return SampledSoftmax(Proposal(weights), self.negatives, seed=training.seed)


LOSSES: dict[str, type[Loss]] = {
    kind.name: kind
    for kind in (CrossEntropyLoss, ConsistencyLoss, MarginLoss, PolicyGradientLoss, SampledLoss)
}
LOSS_DOOR: Door[Loss] = Door("loss", LOSSES, Loss)


def make_loss(options: Mapping[str, Any], where: str = "loss") -> Loss:
    """The loss that a configuration describes: its `kind`, "cross-entropy" where there is none, and its options.

    Raises:
        InputError: no loss has this name, or an option is none of it or cannot be used.
    """
    given = {key: value for key, value in options.items() if key != "kind"}
    return LOSS_DOOR.make(str(options.get("kind", CrossEntropyLoss.name)), given, where)
