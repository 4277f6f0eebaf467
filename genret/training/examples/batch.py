"""A batch of examples as tensors, and the module that turns it into a loss.

Knows padding and weights; knows nothing of where examples come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from genret.models.backbone import Backbone, Encoded
from genret.training.examples.example import Example
from genret.training.losses.losses import LossSums, cross_entropy

__all__ = [
    "Batch",
    "CrossEntropy",
    "Encode",
    "Objective",
    "SourceTokens",
    "Trainable",
    "TrainingModule",
    "by_examples",
    "by_tokens",
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
    """A loss of a backbone on a batch; it may choose other targets than the batch's own, and encode as it needs."""

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums: ...


# What the loss of a batch will weigh, float32 [], before it is computed: so the gradients of several processes and
# micro-batches add up to those of the whole step's mean.
Weigh = Callable[[Batch], Tensor]


def by_tokens(batch: Batch) -> Tensor:
    """All weights of the batch's tokens."""
    return batch.weights.sum()


def by_examples(batch: Batch) -> Tensor:
    """One unit an example, whatever the lengths of its docids."""
    return torch.tensor(float(len(batch.targets)))


class CrossEntropy:
    """Teacher-forced cross-entropy of the batch's targets."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        return self.of(backbone.target_logits(encode(batch), batch.targets), batch)

    def of(self, logits: Tensor, batch: Batch) -> LossSums:
        """The loss of logits float [B, T, V]."""
        return cross_entropy(logits, batch.targets, batch.weights, label_smoothing=self.label_smoothing)


class Trainable(nn.Module):
    """What an engine trains: called with a `Batch`, it gives its `LossSums`."""

    def weight(self, batch: Batch) -> Tensor:
        """The weight, float32 [], that the sums of the batch will have, said ahead."""
        raise NotImplementedError

    def row_tables(self) -> dict[str, nn.Parameter]:
        """The trained tables that are updated by rows, by name."""
        return {}


class TrainingModule(Trainable):
    """Backbone, encoding and objective as one module from `Batch` to `LossSums`.

    Args:
        backbone: the model; its parameters are this module's.
        weigh: what the loss of a batch will weigh, said ahead.
        by_rows: the loss touches few rows of the backbone's token tables, which are then updated by rows.
        encode: texts to their encoded form; the backbone's own `encode` unless token states are cached.
        encode_ids: token ids int64 [B, S] and their mask to their encoded form, of a backbone that is given any.
    """

    def __init__(
        self,
        backbone: Backbone,
        objective: Objective,
        weigh: Weigh = by_tokens,
        *,
        by_rows: bool = False,
        encode: Callable[[Sequence[str]], Encoded] | None = None,
        encode_ids: Callable[[Tensor, Tensor], Encoded] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.objective, self._weigh = objective, weigh
        self.encode = encode or backbone.encode
        self._encode_ids = encode_ids
        self._by_rows = {id(table) for table in backbone.sparse_tables()} if by_rows else set()

    def weight(self, batch: Batch) -> Tensor:
        """See `Trainable`."""
        return self._weigh(batch)

    def row_tables(self) -> dict[str, nn.Parameter]:
        """See `Trainable`."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad and id(p) in self._by_rows}

    def forward(self, batch: Batch) -> LossSums:
        """The batch's loss."""
        return self.objective(self.backbone, self.encoded, batch)

    def encoded(self, batch: Batch) -> Encoded:
        """The batch's sources, encoded."""
        if batch.source_tokens is None:
            return self.encode(batch.sources)
        if self._encode_ids is None:
            raise ValueError("sources that were tokenised ahead need `encode_ids`")
        return self._encode_ids(*batch.source_tokens)


def collate(
    examples: Sequence[Example], pad_token_id: int, *, step: int = 0, device: torch.device | str = "cpu"
) -> Batch:
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
