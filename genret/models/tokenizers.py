"""Opens a tokenizer by name."""

from __future__ import annotations

from typing import Any

from genret.errors import InputError

__all__ = ["load_tokenizer"]


def load_tokenizer(name: str) -> Any:
    """The tokenizer of transformers in the folder, or with the hub name, `name`.

    Raises:
        InputError: there is none.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: no tokenizer there: {str(error).splitlines()[0]}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
    return tokenizer
