"""The model that an engine serves, as far as a set must fit it: its vocabulary, its end tokens, its tokenizer.

Knows folders of tokenizers; knows no engine and no weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from genret.errors import ArtefactError, InputError
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.load import has_tokenizer, load_tokenizer

__all__ = ["ServedModel"]


@dataclass(frozen=True)
class ServedModel:
    """What is known of it.

    Attributes:
        vocab_size: V, how many tokens its output has.
        ends: the tokens that end its output; empty where the engine does not say.
        tokenizer: a folder or name; None where it has none.
    """

    vocab_size: int
    ends: frozenset[int] = frozenset()
    tokenizer: str | None = None

    @classmethod
    def of(cls, vocab_size: int, ends: Iterable[int], tokenizer: str | None) -> ServedModel:
        """From its configuration: `ends` are completed by its tokenizer's, by which engines end, too."""
        end = _end(tokenizer)
        return cls(vocab_size, frozenset() if end is None else frozenset((*ends, end)), tokenizer)

    def check_tokens(self, name: str, largest: int, end: int, stops: Collection[int]) -> None:
        """Whether the tokens of a set are this model's.

        Args:
            name: of the set, for messages.
            largest: its greatest token.
            end: the token that closes its docids.
            stops: what ends the request besides.

        Raises:
            InputError: they are not.
        """
        if largest >= self.vocab_size:
            raise InputError(
                f"constraint: {name!r} has token {largest}, and the served model's vocabulary has {self.vocab_size}; it "
                "was made for another model: serve that one, or make the set with this one's tokenizer."
            )
        if self.ends and end not in self.ends and end not in stops:
            ends = ", ".join(map(str, sorted(self.ends)))
            raise InputError(
                f"constraint: {name!r} closes its docids with token {end}, and the served model ends with {ends}; make the "
                f"set with eos={min(self.ends)}, or ask with stop_token_ids=[{end}]."
            )

    def check_tokenizer(self, name: str, folder: Path | None) -> None:
        """Whether the tokenizer that a set was made with gives its tokens the same numbers as this model's.

        Raises:
            InputError: it does not.
        """
        own, served = _vocabulary(folder), _vocabulary(self.tokenizer)
        if own is None or served is None:
            return
        for token, number in own.items():
            if served.get(token) != number:
                found = served.get(token)
                raise InputError(
                    f"constraint: {name!r} was made with another tokenizer than the served model's: {token!r:.40} is token "
                    f"{number} there and {'none' if found is None else found} here; serve the model in {folder}, or "
                    "make the set with this one's tokenizer."
                )


@cache
def _vocabulary(folder: Path | str | None) -> dict[str, int] | None:
    """The tokens of a tokenizer that can be read here, by their texts."""
    tokenizer = _tokenizer(folder)
    return None if tokenizer is None else dict(tokenizer.get_vocab())


@cache
def _end(folder: Path | str | None) -> int | None:
    tokenizer = _tokenizer(folder)
    return None if tokenizer is None else tokenizer.eos_token_id


def _tokenizer(folder: Path | str | None) -> Tokenizer | None:
    if folder is None or not (Path(folder).is_dir() and has_tokenizer(Path(folder))):
        return None
    try:
        return load_tokenizer(folder)
    except (InputError, ArtefactError):
        return None
