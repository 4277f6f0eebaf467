"""What every loss is: options that become an objective, once there is a model to train.

Knows what an objective needs; knows no arithmetic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from docid import DocidTable
from genret.config import Count, Weight, check_bounds
from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.training.examples.batch import Batch, Objective, by_examples, by_tokens
from genret.training.losses.ranked_candidates import Finder, RankedCandidates

__all__ = ["Loss", "RankingLoss", "Training"]


@dataclass(frozen=True)
class Training:
    """What a loss is made for.

    Attributes:
        backbone: the model.
        table: the docids, bound to the model's vocabulary; None where it generates n-grams.
        label_smoothing: as the training's options have it.
        seed: of what the loss draws.
        find: gives the wrong docids of a loss that ranks; None for any other.
    """

    backbone: Backbone
    table: DocidTable | None = None
    label_smoothing: float = 0.0
    seed: int = 0
    find: Finder | None = None


@dataclass(frozen=True)
class Loss(ABC):
    """What the decoder is trained on: a frozen dataclass whose fields are its options, `name` that of its `kind`.

    Attributes:
        by_rows: whether its gradients touch few rows of the tables of tokens, which are then updated by rows (see
            `genret.training.engines.row_adam`).
        of_docids: whether it needs docids, so that n-grams cannot be learned by it.
    """

    name: ClassVar[str]
    by_rows: ClassVar[bool] = False
    of_docids: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_bounds(self)

    def weigh(self, batch: Batch) -> Tensor:
        """The weight, float32 [], that the objective's sums will have for the batch: that of its tokens."""
        return by_tokens(batch)

    @abstractmethod
    def objective(self, training: Training) -> Objective:
        """From a batch to its sums.

        Raises:
            InputError: it cannot be had as the training asks for it.
        """


@dataclass(frozen=True)
class RankingLoss(Loss):
    """A loss over candidates: the right docid and wrong ones.

    Attributes:
        cross_entropy: weight of the docid's cross-entropy beside it.
        candidates: wrong docids of an example, at most.
        run: a run over the training queries, whose passages for an example's text give the wrong docids, best
            first; an example of another text has its cross-entropy alone. None: the model's own beams, searched
            anew for every batch.
        judged: the wrong docids are those of passages that data.judgements give grade 0, in place of a run.
    """

    of_docids: ClassVar[bool] = True
    cross_entropy: Weight = 1.0
    candidates: Count = 10
    run: str | None = None
    judged: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.judged and self.run is not None:
            raise InputError(
                "judged: wrong docids come from judgements or from a run; leave one of the two out."
            )
        if self.run is not None and not Path(self.run).is_file():
            raise InputError(f"run: {self.run}: no such file; expected a run over the training queries.")

    @property
    def by_text(self) -> bool:
        """Whether wrong docids are looked up by an example's text."""
        return self.judged or self.run is not None

    def weigh(self, batch: Batch) -> Tensor:
        """One unit an example: its candidates are longer and shorter."""
        return by_examples(batch)

    def found(self, training: Training) -> RankedCandidates:
        """The candidates of a training that has a finder of them."""
        if training.find is None:
            raise ValueError("a loss that ranks candidates needs `find`")
        return RankedCandidates(training.find, self.candidates)
