"""The small interface that every model stands behind: encode, decode one step, reorder.

Knows texts, token ids and hidden states; knows nothing of docids, constraints or scores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from genret.tokenizer.interface import Tokenizer

__all__ = ["Backbone", "DecoderState", "Draw", "Draws", "Encoded", "ScoresEntries"]

# Private to each backbone. Encoded: one row a query, with `select` of rows (int64 [n], repeats allowed) and a length.
# DecoderState: one row a beam, with what it reads of Encoded.
Encoded = Any
DecoderState = Any


@runtime_checkable
class Backbone(Protocol):
    """A `torch.nn.Module` that turns texts into next-token distributions.

    States are immutable: `step` and `reorder` return new ones, and an earlier one may be used again.

    Attributes:
        vocab_size: width of the logits.
        eos_token_id, pad_token_id: as the decoder uses them.
        tokenizer: the decoder's tokenizer (docid strings to ids), a Hugging Face tokenizer.
        source_tokenizer: that reads what `encode` is given; the same one for most models.
        device: where its parameters live.
        feeds_several: whether rows may be fed different numbers of tokens in one `step`.
        training, train, eval, to, parameters: see `torch.nn.Module`.
    """

    eos_token_id: int
    pad_token_id: int
    training: bool

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def source_tokenizer(self) -> Tokenizer: ...

    @property
    def vocab_size(self) -> int: ...

    @property
    def feeds_several(self) -> bool: ...

    @property
    def device(self) -> torch.device: ...

    def train(self, mode: bool = True) -> Self: ...

    def eval(self) -> Self: ...

    def to(self, device: torch.device) -> Self: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """How many source tokens `encode` would read of each text, to batch texts of similar length."""
        ...

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts (or, for a causal model, tokenise prompts), one row each; differentiable in training."""
        ...

    def target_logits(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Teacher-forced logits, float32 [queries, T, vocab_size]; `[:, t]` predicts `targets[:, t]`.

        `targets` is int64 [queries, T], padded with `pad_token_id` on the right.
        """
        ...

    def target_states(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] whose `logits` are `target_logits`: for losses that need few columns."""
        ...

    def forward(self, sources: Any, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of what `encode` returned: the one call that training wraps."""
        ...

    def start(self, encoded: Encoded) -> tuple[Tensor, DecoderState]:
        """Hidden states that predict the first docid token, [queries, d], and a state of one row per query."""
        ...

    def step(
        self, state: DecoderState, tokens: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Feed one token per row (int64 [rows]); return hidden states [rows, d] and the next state.

        Or feed several: `tokens` int64 [rows, n] gives hidden states [rows, n, d], where `[:, i]` predicts what
        follows `tokens[:, i]`. With `lengths` (int64 [rows], 1 to n) row r is fed only its last `lengths[r]`
        tokens; the columns before them are ignored and their hidden states mean nothing.
        """
        ...

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """float32 logits [..., vocab_size], or only the columns `tokens` (int64 [n]) of them, [..., n].

        Float32 whatever the weights are. `out`, float32 of the result's shape, is written and returned where it
        saves an allocation; without gradients only.
        """
        ...

    def sparse_tables(self) -> list[Tensor]:
        """From now on the gradients of the token tables, input and output, are sparse; those tables.

        The output's is where all logits are of chosen columns (`logits` with `tokens`).
        """
        ...

    def reorder(self, state: DecoderState, rows: Tensor, rows_per_query: int | None = None) -> DecoderState:
        """Gather rows (int64 [n], repeats allowed) of a state. Queries left without a row are dropped.

        `rows_per_query` promises that the result has that many rows for every query of `state`, in query order;
        then no value of `rows` is read, so that a GPU is not waited for.
        """
        ...

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add tokens to tokenizer, input and output embeddings (tied or not); return their ids."""
        ...

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write weights, configuration and tokenizer in Hugging Face layout."""
        ...


@runtime_checkable
class ScoresEntries(Protocol):
    """A backbone that is asked for the tokens that matter, as all logits would have to come from elsewhere."""

    def entry_log_probs(self, hidden: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """The log-probability of each of `tokens` (int64 [m]) behind row `rows` (ascending) of `hidden`: float32 [m]."""
        ...


@dataclass(frozen=True)
class Draw:
    """How texts are drawn: see `genret.queries.Sampling`.

    Attributes:
        stops: tokens that end a text.
    """

    top_k: int
    top_p: float
    temperature: float
    max_tokens: int
    stops: tuple[int, ...]


@runtime_checkable
class Draws(Protocol):
    """A backbone that draws whole texts by itself."""

    def draw(self, texts: Sequence[str], seeds: Sequence[Sequence[int]], how: Draw) -> list[list[list[int]]]:
        """The tokens that the model writes for each text, once a seed of it, without what ended them."""
        ...
