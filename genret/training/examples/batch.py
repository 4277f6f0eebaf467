"""A batch of examples as tensors, and the module that turns it into a loss.

Knows padding and weights; knows nothing of where examples come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from genret.models.backbone import Encoded
from genret.training.examples.example import Example
from genret.training.losses.losses import LossSums, cross_entropy

__all__ = [
    "Batch",
    "CrossEntropy",
    "Encode",
    "Objective",
    "SourceTokens",
    "TrainingModule",
    "collate",
    "repeated",
]


class SourceTokens(NamedTuple):
    """Sources that were tokenised ahead: int64 [B, S], padded on the right, and bool [B, S], true at tokens."""

    ids: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Batch:
    """Examples of one step.

    Attributes:
        sources: B texts; none where `source_tokens` are given.
        targets: int64 [B, T]; docid tokens and end token, padded on the right.
        weights: float32 [B, T]; each token's weight in the loss, zero for padding.
        documents: int64 [B]; each example's row in the corpus, -1 for none.
        tasks: the name of each example's source.
        step: which step of the run this is.
        source_tokens: of the sources, where they were tokenised ahead.
    """

    sources: list[str]
    targets: Tensor
    weights: Tensor
    documents: Tensor
    tasks: list[str]
    step: int = 0
    source_tokens: SourceTokens | None = None

    @property
    def tokens(self) -> int:
        """Source and target tokens, padding included; 0 where sources are texts, whose tokens are not known."""
        return 0 if self.source_tokens is None else self.targets.numel() + self.source_tokens.ids.numel()


# A batch's sources to their encoded form; a fresh pass each time, so that dropout differs.
Encode = Callable[[Batch], Encoded]


class Objective(Protocol):
    """A loss of a backbone on a batch; it may choose other targets than the batch's own, and encode as it needs.

    One whose weight is not the sum of the batch's token weights has a method `weight(batch)` that says it ahead:
    gradients of several processes and micro-batches add up to those of the whole step's mean.
    """

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> LossSums: ...


class CrossEntropy:
    """Teacher-forced cross-entropy of the batch's targets."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, backbone: Any, encode: Encode, batch: Batch) -> LossSums:
        return self.of(backbone.target_logits(encode(batch), batch.targets), batch)

    def of(self, logits: Tensor, batch: Batch) -> LossSums:
        """The loss of logits float [B, T, V]."""
        return cross_entropy(logits, batch.targets, batch.weights, label_smoothing=self.label_smoothing)


class TrainingModule(nn.Module):
    """Backbone, encoding and objective as one module from `Batch` to `LossSums`.

    Args:
        backbone: the model; its parameters are this module's.
        encode: texts to its encoded form; the backbone's own `encode` unless token states are cached.
    """

    def __init__(
        self,
        backbone: nn.Module,
        objective: Objective,
        encode: Callable[[Sequence[str]], Encoded] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.objective = objective
        self.encode: Callable[[Sequence[str]], Encoded] = encode or cast(Any, backbone).encode

    def weight(self, batch: Batch) -> Tensor:
        """What the loss of the batch will weigh: all its tokens, unless the objective says otherwise."""
        own = getattr(self.objective, "weight", None)
        weight: Tensor = batch.weights.sum() if own is None else own(batch)
        return weight

    def forward(self, batch: Batch) -> LossSums:
        """The batch's loss."""
        return self.objective(self.backbone, self.encoded, batch)

    def encoded(self, batch: Batch) -> Encoded:
        """The batch's sources, encoded."""
        if batch.source_tokens is None:
            return self.encode(batch.sources)
        return cast(Any, self.backbone).encode_ids(*batch.source_tokens)


def collate(examples: Sequence[Example], pad_token_id: int, *, step: int = 0, device: Any = "cpu") -> Batch:
    """Pad the targets of `examples` on the right."""
    width = max(len(example.target) for example in examples)
    targets = torch.full((len(examples), width), pad_token_id, dtype=torch.int64)
    weights = torch.zeros((len(examples), width), dtype=torch.float32)
    for row, example in enumerate(examples):
        targets[row, : len(example.target)] = torch.tensor(example.target)
        weights[row, : len(example.target)] = example.weight
    documents = torch.tensor([example.document for example in examples], dtype=torch.int64)
    return Batch(
        [example.source for example in examples],
        targets.to(device),
        weights.to(device),
        documents.to(device),
        [example.task for example in examples],
        step,
    )


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
