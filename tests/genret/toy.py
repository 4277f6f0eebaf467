"""A backbone small enough to train in a second: hashed words in, one hidden layer over the previous tokens."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions

EOS, PAD, VOCAB, BUCKETS, WIDTH = 1, 0, 16, 64, 32


class ToyBackbone(nn.Module):
    """Target logits from a bag of source words and the mean of the previous target tokens."""

    vocab_size, eos_token_id, pad_token_id = VOCAB, EOS, PAD

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.words = nn.Embedding(BUCKETS, WIDTH)
        self.tokens = nn.Embedding(VOCAB, WIDTH)
        self.hidden = nn.Linear(3 * WIDTH, WIDTH)
        self.drop = nn.Dropout(dropout)
        self.positions = nn.Embedding(8, WIDTH)
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3

    def encode(self, texts: Sequence[str]) -> Tensor:
        rows = [
            self.words(torch.tensor([zlib.crc32(w.encode()) % BUCKETS for w in t.split()])).mean(0)
            for t in texts
        ]
        return torch.stack(rows)

    def target_logits(self, encoded: Tensor, targets: Tensor) -> Tensor:
        width = targets.shape[1]
        sums = self.tokens(targets).cumsum(1) - self.tokens(targets)  # [B, T, WIDTH], what came before t
        places = self.positions(torch.arange(width)).expand(len(targets), -1, -1)
        source = encoded.unsqueeze(1).expand(-1, width, -1)
        hidden = torch.tanh(self.hidden(torch.cat([source, sums, places], -1)))
        return self.drop(hidden) @ self.tokens.weight.T * 3.0


def toy_sources() -> dict[str, list[Example]]:
    """Eight documents, each with a passage and two queries that share its word."""
    targets = [(2 + d // 3, 5 + d % 3, 8 + d % 2, EOS) for d in range(8)]
    index = [Example(f"passage word{d} text", targets[d], "index", 1.0, d) for d in range(8)]
    queries = [Example(f"find word{d} {n}", targets[d], "query", 1.0, d) for d in range(8) for n in "ab"]
    return {"index": index, "query": queries}


def toy_trainer(
    folder: Path, options: TrainingOptions, *, dropout: float = 0.0, module: nn.Module | None = None
) -> Trainer:
    backbone = ToyBackbone(dropout)
    engine = TorchEngine(
        module or TrainingModule(backbone, CrossEntropy(options.label_smoothing_factor)),
        OptimizerOptions(weight_decay=0.0),
    )
    feed = ExampleFeed(toy_sources(), {"index": 1.0, "query": 2.0}, options, pad_token_id=PAD)
    return Trainer(engine, feed, options, folder=folder)
