"""Texts in sentences, and long ones in pieces of a bounded number of words that remember their paragraphs.

Knows words, sentences and paragraphs; in a script without spaces a character is a word. Blocks of 100 words: V. Karpukhin et al., EMNLP 2020, section 4.1 (across
paragraphs); F. Petroni et al., NAACL 2021, section 4 (within them).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from docid.scripts import joined, units
from genret.errors import UsageError

__all__ = [
    "MIN_SENTENCE_WORDS",
    "TextPiece",
    "Unit",
    "long_sentences",
    "pick_sentence",
    "sentences",
    "split_paragraphs",
]

Unit = Literal["words", "sentences"]
# A sentence ends at a stop, closing marks and white space, where something follows that can begin one; at a full-width
# stop without white space, too.
SENTENCE_END = re.compile(
    r"""(?:[.!?]["'”’)\]]*\s+|[。！？｡]["'”’)」』）】》\]]*\s*)(?=["'“‘「『（【《(\[]*(\w))"""
)
# After these, and after a single letter, a full stop ends no sentence.
ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "gen",
        "col",
        "lt",
        "capt",
        "sgt",
        "rev",
        "hon",
        "gov",
        "sen",
        "rep",
        "no",
        "vol",
        "fig",
        "ch",
        "pp",
        "ca",
        "c",
        "cf",
        "e.g",
        "i.e",
        "vs",
        "etc",
        "approx",
        "dept",
        "est",
        "inc",
        "ltd",
        "co",
        "corp",
        "u.s",
        "u.k",
        "d.c",
        "a.m",
        "p.m",
        "b.c",
        "a.d",
    ]
)


class TextPiece(NamedTuple):
    """A piece of text, and the numbers of the first and the last paragraph that it has words of."""

    text: str
    first: int
    last: int


# A word (or a sentence's words) and the paragraph that it stands in.
_Block = tuple[list[str], int]


def split_paragraphs(
    paragraphs: Sequence[str], words: int = 100, *, by: Unit = "words", across_paragraphs: bool = True
) -> list[TextPiece]:
    """Disjoint pieces that hold every word, in order, at most `words` of them each.

    Args:
        by: `words` fills every piece but the last; `sentences` keeps sentences whole, where one is not longer
            than `words` itself.
        across_paragraphs: whether a piece may go on into the next paragraph.

    Raises:
        UsageError: `words` is below 1.
    """
    if words < 1:
        raise UsageError(f"a piece needs at least 1 word, not {words}.")
    blocks = [_blocks(text, number, words, by) for number, text in enumerate(paragraphs)]
    if across_paragraphs:
        return list(_fill((block for paragraph in blocks for block in paragraph), words))
    return [piece for paragraph in blocks for piece in _fill(paragraph, words)]


def sentences(text: str) -> list[str]:
    """The sentences of a text, white space at their ends removed; in scripts without spaces, too.

    None begins with a small letter, unless the text has no other.
    """
    found, begin = [], 0
    uncased = text == text.lower()
    for match in SENTENCE_END.finditer(text):
        if match[1].islower() and not uncased:
            continue
        last_word = text[begin : match.start()].split()[-1:] or [""]
        if text[match.start()] == "." and _is_abbreviation(last_word[0]):
            continue
        found.append(text[begin : match.end()].strip())
        begin = match.end()
    return [sentence for sentence in [*found, text[begin:].strip()] if sentence]


def _is_abbreviation(word: str) -> bool:
    bare = word.lstrip("\"'“‘([").lower()
    return bare in ABBREVIATIONS or (len(bare) == 1 and bare.isalpha())


def _blocks(text: str, number: int, words: int, by: Unit) -> Iterable[_Block]:
    """What must stay together: single words, or sentences, the long ones cut."""
    if by == "words":
        return [([word], number) for word in _spaced(text)]
    split = [_spaced(sentence) for sentence in sentences(text)]
    return [
        (sentence[begin : begin + words], number)
        for sentence in split
        for begin in range(0, len(sentence), words)
    ]


def _spaced(text: str) -> list[str]:
    """The units of a text that stands behind another."""
    first, *rest = units(text) or [""]
    return [f" {first}", *rest] if first else []


def _fill(blocks: Iterable[_Block], words: int) -> Iterator[TextPiece]:
    """Blocks one after the other into pieces, a new piece where the next block does not fit."""
    held: list[str] = []
    first = last = 0
    for block, number in blocks:
        if held and len(held) + len(block) > words:
            yield TextPiece(joined(held), first, last)
            held = []
        if not held:
            first = number
        held, last = held + block, number
    if held:
        yield TextPiece(joined(held), first, last)


MIN_SENTENCE_WORDS = 5


def long_sentences(text: str, min_words: int = MIN_SENTENCE_WORDS) -> list[str]:
    """The sentences of at least `min_words` words."""
    return [sentence for sentence in sentences(text) if len(units(sentence)) >= min_words]


def pick_sentence(texts: Sequence[str], rng: np.random.Generator, min_words: int = MIN_SENTENCE_WORDS) -> str:
    """One sentence of `texts`, all long enough ones alike; where there is none, one of the texts."""
    found = [sentence for text in texts for sentence in long_sentences(text, min_words)]
    chosen = found or list(texts)
    return chosen[int(rng.integers(len(chosen)))]
