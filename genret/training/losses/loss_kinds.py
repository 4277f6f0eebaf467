"""Losses by the names that configurations use, each with its options.

A further loss is a frozen dataclass that inherits from `Loss` or `RankingLoss`, and an entry in `LOSSES`; a guest's
needs no entry (see `genret.plugins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Interval

from genret.config import Count, Positive, Weight
from genret.errors import InputError
from genret.plugins import Door
from genret.training.examples.batch import CrossEntropy, Objective
from genret.training.losses.base import Loss, RankingLoss, Training
from genret.training.losses.objectives import (
    Consistency,
    MarginRanking,
    PolicyGradient,
    Preference,
    PrefixMargins,
)
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
class PrefixMarginLoss(RankingLoss):
    """The right docid ahead of wrong ones at several prefixes (see `PrefixMargins`).

    Attributes:
        margin: between the scores of a right docid and of a wrong one; a prefix is due a share of it.
        prefixes: lengths in tokens, besides the whole docid.
        beta: how much less short prefixes are due; 0: all the whole margin.
    """

    name: ClassVar[str] = "prefix-margin"
    margin: Weight = 1.0
    prefixes: tuple[Count, ...] = (1, 2, 4, 8, 16)
    beta: Annotated[float, Interval(ge=0, lt=1)] = 0.5

    def objective(self, training: Training) -> Objective:
        return PrefixMargins(self.found(training), self.margin, self.cross_entropy, self.prefixes, self.beta)


@dataclass(frozen=True)
class PreferenceLoss(RankingLoss):
    """Direct preference optimisation over pairs of docids (see `Preference`).

    Attributes:
        beta: how dear it is to leave the model that training began with.
        cross_entropy: weight of the docid's cross-entropy beside it; none, as published.
    """

    name: ClassVar[str] = "dpo"
    beta: Positive = 0.1
    cross_entropy: Weight = 0.0

    def objective(self, training: Training) -> Objective:
        return Preference(self.found(training), training.backbone, self.beta, self.cross_entropy)


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
    for kind in (
        CrossEntropyLoss,
        ConsistencyLoss,
        MarginLoss,
        PrefixMarginLoss,
        PolicyGradientLoss,
        PreferenceLoss,
        SampledLoss,
    )
}
LOSS_DOOR: Door[Loss] = Door("loss", LOSSES, Loss)


def make_loss(options: Mapping[str, Any], where: str = "loss") -> Loss:
    """The loss that a configuration describes: its `kind`, "cross-entropy" where there is none, and its options.

    Raises:
        InputError: no loss has this name, or an option is none of it or cannot be used.
    """
    given = {key: value for key, value in options.items() if key != "kind"}
    return LOSS_DOOR.make(str(options.get("kind", CrossEntropyLoss.name)), given, where)
