"""The query's own words as keys: its n-grams of words, written as the corpus writes them.

Of a script without spaces the characters are its words. Knows words and an index's counts; knows no model. These keys are lexical search by another name, so results with
and without them are reported apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docid.scripts import joined
from docid.scripts import words as query_words
from fm_index import FMIndex, ShardedFMIndex
from genret.indexing.layout import encode_field
from genret.tokenizer.interface import Tokenizer

__all__ = ["query_ngrams"]

_SPACED = re.compile(r"\S+")


def query_ngrams(
    query: str, index: FMIndex | ShardedFMIndex, tokenizer: Tokenizer, length: int
) -> list[list[int]]:
    """The tokens of the n-grams of 1 to `length` words that occur in the corpus.

    Of each n-gram the casing that occurs most often: as asked, lower case, with capitals at the words' beginnings,
    with one at the first, or all capitals; earlier ones where counts are equal.
    """
    written = [list(_casings(words)) for words in _word_ngrams(query_words(query), length)]
    tokens = iter(encode_field(tokenizer, [text for casings in written for text in casings]))
    found: dict[tuple[int, ...], None] = {}
    for casings in written:
        variants = [next(tokens) for _ in casings]
        counts = [index.count(variant) if variant else 0 for variant in variants]
        if max(counts) > 0:
            found[tuple(variants[counts.index(max(counts))])] = None
    return [list(ngram) for ngram in found]


def _word_ngrams(words: Sequence[str], length: int) -> Iterator[list[str]]:
    for size in range(1, length + 1):
        for begin in range(len(words) - size + 1):
            yield list(words[begin : begin + size])


def _casings(words: list[str]) -> Iterator[str]:
    text = joined(words)
    lower, capitals = text.lower(), _SPACED.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), text)
    yield from dict.fromkeys([text, lower, capitals, lower[:1].upper() + lower[1:], text.upper()])
