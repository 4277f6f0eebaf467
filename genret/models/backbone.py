"""The small interface that every model stands behind: encode, decode one step, reorder.

Knows texts, token ids and hidden states; knows nothing of docids, constraints or scores.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["Backbone", "DecoderState", "Encoded"]

# Private to each backbone. Encoded: one row a query. DecoderState: one row a beam, with what it reads of Encoded.
Encoded = Any
DecoderState = Any


class Backbone(Protocol):
    """A `torch.nn.Module` that turns texts into next-token distributions.

    Attributes:
        vocab_size: width of the logits.
        eos_token_id, pad_token_id: as the decoder uses them.
        tokenizer: the decoder's tokenizer (docid strings to ids), a Hugging Face tokenizer.
        device: where its parameters live.
    """

    vocab_size: int
    eos_token_id: int
    pad_token_id: int
    tokenizer: Any

    @property
    def device(self) -> torch.device: ...

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts (or, for a causal model, tokenise prompts), one row each; differentiable in training."""
        ...

    def target_logits(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]; `[:, t]` predicts `targets[:, t]`.

        `targets` is int64 [queries, T], padded with `pad_token_id` on the right.
        """
        ...

    def start(self, encoded: Encoded) -> tuple[Tensor, DecoderState]:
        """Hidden states that predict the first docid token, [queries, d], and a state of one row per query."""
        ...

    def step(self, state: DecoderState, tokens: Tensor) -> tuple[Tensor, DecoderState]:
        """Feed one token per row (int64 [rows]); return hidden states [rows, d] and the next state."""
        ...

    def logits(self, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        """float32 logits [rows, vocab_size], or only the columns `tokens` (int64 [n]) of them, [rows, n]."""
        ...

    def reorder(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """Gather rows (int64 [n], repeats allowed) of a state."""
        ...

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add tokens to tokenizer, input and output embeddings (tied or not); return their ids."""
        ...

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write weights, configuration and tokenizer in Hugging Face layout."""
        ...
