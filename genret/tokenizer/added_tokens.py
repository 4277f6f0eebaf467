"""Tokens that a tokenizer is given, each for one docid token: never split, never normalised.

Knows tokenizers; knows nothing of what the tokens mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import AddedToken

from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer

__all__ = ["extend_tokenizer"]


def extend_tokenizer(tokenizer: Tokenizer, new_tokens: Sequence[str]) -> list[int]:
    """Add tokens that are never split, matched before any normalisation, and kept by `skip_special_tokens`.

    Tokens that an earlier call added keep their ids. Returns the id of each token.

    Raises:
        InputError: a token is empty, given twice, or an ordinary entry of the vocabulary.
    """
    _check(tokenizer, new_tokens)
    added = [AddedToken(token, normalized=False, special=False) for token in new_tokens]
    tokenizer.add_tokens(added)
    vocabulary = tokenizer.get_added_vocab()
    return [vocabulary[token] for token in new_tokens]


def _check(tokenizer: Tokenizer, new_tokens: Sequence[str]) -> None:
    added = tokenizer.get_added_vocab()
    special = set(tokenizer.all_special_tokens)
    ordinary = tokenizer.get_vocab()
    seen: set[str] = set()
    for token in new_tokens:
        if not token or token != token.strip():
            raise InputError(f"new token {token!r}: expected text without spaces at its ends.")
        if token in seen:
            raise InputError(
                f"new token {token!r}: given twice; every new token needs a spelling of its own."
            )
        if token in special or (token in ordinary and token not in added):
            raise InputError(
                f"new token {token!r}: the tokenizer has it already, as an ordinary or a special token; choose "
                "another spelling."
            )
        seen.add(token)
