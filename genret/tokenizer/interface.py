"""What is asked of a tokenizer: the part of transformers' interface that tokenizers of either kind, fast and slow, have.

Knows names only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

__all__ = ["Tokenizer", "backend_of"]


class Tokenizer(Protocol):
    """A tokenizer of transformers."""

    all_special_ids: list[int]
    all_special_tokens: list[str]
    pad_token_id: int | None
    eos_token_id: int | None
    unk_token_id: int | None
    sep_token_id: int | None
    cls_token_id: int | None
    truncation_side: str

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """The added tokens, by id."""
        ...

    def __call__(self, texts: Any, **options: Any) -> Any:
        """Texts to `input_ids` and what else is asked for."""
        ...

    def __len__(self) -> int:
        """Tokens, added ones included."""
        ...

    def decode(self, ids: Any, **options: Any) -> str:
        """Ids to text."""
        ...

    def batch_decode(self, ids: Any, **options: Any) -> list[str]:
        """Rows of ids to texts."""
        ...

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Ids to tokens as the vocabulary spells them."""
        ...

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Tokens as the vocabulary spells them to ids."""
        ...

    def get_vocab(self) -> dict[str, int]:
        """Token to id, added ones included."""
        ...

    def get_added_vocab(self) -> dict[str, int]:
        """Added token to id."""
        ...

    def add_tokens(self, tokens: Sequence[Any]) -> int:
        """Add tokens; return how many were new."""
        ...

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Any:
        """Write the tokenizer's files."""
        ...


def backend_of(tokenizer: Tokenizer) -> Backend | None:
    """What a fast tokenizer is of the `tokenizers` library; None for one in Python."""
    backend: Backend | None = getattr(tokenizer, "backend_tokenizer", None)
    return backend
