"""The backbone of docids that are words alone: two tokenizers, no network, and the same score for every token.

Words are ranked by what is counted of them, so that nothing is left for a model to say; a folder then holds what reads
queries and what spells docids. Knows tokenizers; knows nothing of words, docids or search.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genret.models.frozen.frozen_encoder import DOCID_FOLDER, docid_tokenizer
from genret.tokenizer.added_tokens import extend_tokenizer
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["WordBackbone"]

KIND = "words"


@dataclass(frozen=True)
class _Rows:
    """So many rows, of which nothing is known."""

    count: int

    def __len__(self) -> int:
        return self.count

    def select(self, queries: Tensor) -> _Rows:
        """Some of the rows (int64 [n])."""
        return _Rows(len(queries))


class WordBackbone(nn.Module):
    """See `Backbone` for the interface. It has no parameters, and every logit is 0.

    Args:
        source_tokenizer: whose tokens are the words.
        tokenizer: of docids; None: one that has none yet.
    """

    feeds_several = True

    def __init__(self, source_tokenizer: Tokenizer, tokenizer: Tokenizer | None = None) -> None:
        super().__init__()
        self.source_tokenizer = source_tokenizer
        self.tokenizer = docid_tokenizer() if tokenizer is None else tokenizer
        self.eos_token_id = int(self.tokenizer.eos_token_id or 0)
        self.pad_token_id = int(self.tokenizer.pad_token_id or 0)
        self.register_buffer("_place", torch.empty(0), persistent=False)
        self.eval()

    @classmethod
    def load(cls, folder: Path) -> WordBackbone:
        """That of a folder which `save_pretrained` wrote."""
        return cls(load_tokenizer(folder), load_tokenizer(folder / DOCID_FOLDER))

    @property
    def device(self) -> torch.device:
        """Where logits are made."""
        return self.get_buffer("_place").device

    @property
    def vocab_size(self) -> int:
        """Width of the logits."""
        return len(self.tokenizer)

    def source_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return [len(row) for row in text_ids(self.source_tokenizer, texts)]

    def encode(self, texts: Sequence[str]) -> _Rows:
        """A row a text."""
        return _Rows(len(texts))

    def target_logits(self, encoded: _Rows, targets: Tensor) -> Tensor:
        """Zeros, float32 [queries, T, vocab_size]."""
        return self.logits(self.target_states(encoded, targets))

    def target_states(self, encoded: _Rows, targets: Tensor) -> Tensor:
        """Zeros, [queries, T, 1]."""
        return torch.zeros(*targets.shape, 1, device=self.device)

    def forward(self, sources: Sequence[str] | _Rows, targets: Tensor) -> Tensor:
        """`target_logits` of texts or of encoded sources."""
        encoded = sources if isinstance(sources, _Rows) else self.encode(sources)
        return self.target_logits(encoded, targets)

    def start(self, encoded: _Rows) -> tuple[Tensor, _Rows]:
        """A state of one row a query."""
        return torch.zeros(len(encoded), 1, device=self.device), encoded

    def step(self, state: _Rows, tokens: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, _Rows]:
        """The state that there was."""
        return torch.zeros(*tokens.shape, 1, device=self.device), state

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Zeros, float32."""
        width = self.vocab_size if tokens is None else len(tokens)
        return torch.zeros(*hidden.shape[:-1], width, device=self.device) if out is None else out.zero_()

    def sparse_tables(self) -> list[Tensor]:
        """None."""
        return []

    def reorder(self, state: _Rows, rows: Tensor, rows_per_query: int | None = None) -> _Rows:
        """As many rows as are asked for."""
        return _Rows(len(rows))

    def extend_vocabulary(self, new_tokens: Sequence[str]) -> list[int]:
        """Add docid tokens."""
        return extend_tokenizer(self.tokenizer, new_tokens)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write both tokenizers, and a configuration that says what the folder is."""
        self.source_tokenizer.save_pretrained(folder)
        self.tokenizer.save_pretrained(Path(folder) / DOCID_FOLDER)
        config = json.dumps({"genret": {"kind": KIND}}, indent=2) + "\n"
        (Path(folder) / "config.json").write_text(config, encoding="utf-8")
