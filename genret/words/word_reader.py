"""Texts as words: one that a tokenizer spells in several pieces is one word, and not its pieces.

Pieces find what has nothing to do with a query: "who" would be found in "who|##oping". A word that is spelled so gets a
number by its pieces, one of `BUCKETS`; the tokens of the vocabulary come behind these, so that a vocabulary can grow.
Scripts that write no blanks between words, and tokenizers that do not say where in a text their tokens are, have their
tokens for words. Knows tokenizers and texts; knows no passage and no weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from docid.ragged import IntArray
from docid.scripts import joins
from genret.tokenizer.interface import Tokenizer, backend_of
from genret.tokenizer.plain_text import text_ids, text_spans

__all__ = ["BUCKETS", "Span", "WordReader"]

# Numbers for words of several pieces.
BUCKETS = 1 << 16


class Span(NamedTuple):
    """A word of a text: its number, its name, and where it is, `text[begin:end]`."""

    number: int
    name: str
    begin: int
    end: int


class WordReader:
    """Reads texts as numbers of words.

    Args:
        tokenizer: that spells them.
        vocab_size: how many numbers there are, where sets of words say it: those of earlier versions had their
            tokenizer's tokens for words. None: as many as the tokenizer needs.

    Attributes:
        first_token: the number of the vocabulary's first token; words of several tokens have the lower ones.
        vocab_size: numbers are below it.
    """

    def __init__(self, tokenizer: Tokenizer, vocab_size: int | None = None) -> None:
        whole = backend_of(tokenizer) is not None and vocab_size != len(tokenizer)
        self._tokenizer, self.first_token = tokenizer, BUCKETS if whole else 0
        self.vocab_size = self.first_token + len(tokenizer)

    def numbers(self, texts: Sequence[str]) -> list[IntArray]:
        """The words of each text as they come, int32 [n]."""
        if not self.first_token:
            return [np.array(row, np.int32) for row in text_ids(self._tokenizer, texts)]
        return [
            self._numbers(np.array(tokens, np.int32), _firsts(text, spans))
            for text, (tokens, spans) in zip(texts, text_spans(self._tokenizer, texts), strict=True)
        ]

    def names(self, text: str) -> dict[int, str]:
        """What the words of a text are called, by their numbers: as the vocabulary spells a token, or as one reads."""
        if not self.first_token:
            ids = text_ids(self._tokenizer, [text])[0]
            return dict(zip(ids, self._tokenizer.convert_ids_to_tokens(ids), strict=True))
        return {span.number: span.name for span in self.spans(text)}

    def number(self, name: str) -> int:
        """That of the word with a name that `names` gave."""
        token = self._tokenizer.get_vocab().get(name)
        return int(self.numbers([name])[0][0]) if token is None else self.first_token + token

    def spans(self, text: str) -> Iterator[Span]:
        """The words of a text as they come.

        Raises:
            InputError: the tokenizer does not say where in a text its tokens are.
        """
        tokens, spans = next(text_spans(self._tokenizer, [text]))
        firsts = _firsts(text, spans) if self.first_token else np.arange(len(tokens))
        numbers = self._numbers(np.array(tokens, np.int32), firsts).tolist()
        for number, (begin, end) in zip(numbers, pairwise([*firsts.tolist(), len(tokens)]), strict=True):
            yield Span(number, self._name(tokens[begin:end]), spans[begin][0], spans[end - 1][1])

    def _numbers(self, tokens: IntArray, firsts: IntArray) -> IntArray:
        """Of words that begin at tokens `firsts`."""
        numbers = tokens[firsts] + self.first_token
        ends = np.append(firsts[1:], len(tokens))
        for word in np.flatnonzero(ends - firsts > 1).tolist():
            pieces = tokens[firsts[word] : ends[word]].astype("<i4").tobytes()
            numbers[word] = xxhash.xxh3_64_intdigest(pieces) % BUCKETS
        return numbers

    def _name(self, tokens: list[int]) -> str:
        if len(tokens) == 1:
            return str(self._tokenizer.convert_ids_to_tokens(tokens)[0])
        return str(self._tokenizer.decode(tokens)).strip()


def _firsts(text: str, spans: Sequence[tuple[int, int]]) -> IntArray:
    """The tokens that begin a word: all but those between which and the one before there are two letters."""
    if not spans:
        return np.empty(0, np.int64)
    letters = joins()[np.minimum(_characters(text), len(joins()) - 1)]
    places = np.array(spans, np.int64)
    begins, ends = places[1:, 0], places[:-1, 1]
    joined = (begins == ends) & (begins > 0) & (begins < len(text))
    at = begins[joined]
    joined[joined] = letters[at - 1] & letters[at]
    return np.flatnonzero(np.append(True, ~joined))


def _characters(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
