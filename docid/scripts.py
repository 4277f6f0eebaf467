"""Words of texts in any script: what white space and punctuation part, and single characters where a script writes no spaces.

Which scripts write none is said here and nowhere else. Knows characters; knows no tokenizer and no language.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["bare_words", "bigrams", "folded", "joined", "joins", "starts_unspaced", "units", "words"]

# Thai and Lao, Myanmar, Khmer, kana, Chinese characters and what repeats or stands for them.
UNSPACED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6\u1000-\u102a\u1780-\u17b3"
    "\u3005\u3007\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Letters from here on are all of them Chinese characters.
ALL_UNSPACED = 0x20000
OPENING = "「『（《〈【〔“‘(\\["
# A character with the marks around it, or what stands between white space and such characters.
_UNIT = re.compile(rf"\s*(?:[^\w\s]*[{UNSPACED}][^\w\s{OPENING}]*|(?:[^\s{UNSPACED}])+)")
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+(?:[-'’.][^\W{UNSPACED}]+)*")
_LETTERS = re.compile(r"\w+")
_RUN = re.compile(rf"[{UNSPACED}]+")
_FIRST = re.compile(rf"[^\w\s]*[{UNSPACED}]")


def units(text: str) -> list[str]:
    """The words of a text with the marks around them, of an unspaced script its characters; `joined` puts them together.

    One that white space stands before has a space before it, but for the first.
    """
    if text.isascii():
        first, *rest = text.split() or [""]
        return [first, *(f" {word}" for word in rest)] if first else []
    found = _UNIT.findall(text)
    return [
        f" {one.lstrip()}" if place and one[:1].isspace() else one.strip() for place, one in enumerate(found)
    ]


def joined(parts: list[str]) -> str:
    """Consecutive units as one text, without white space at its ends."""
    return "".join(parts).strip()


def words(text: str) -> list[str]:
    """The words without marks; as in `units`, one that does not follow the one before directly has a space before it."""
    found: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        found.append(match[0] if not found or match.start() == end else f" {match[0]}")
        end = match.end()
    return found


def bare_words(text: str) -> list[str]:
    """Runs of letters and digits, of an unspaced script its characters."""
    return [one.strip() for run in _LETTERS.findall(text) for one in units(run)]


def bigrams(text: str) -> str:
    """The text with each run of unspaced characters as its overlapping pairs, between spaces; others as they are."""
    return text if text.isascii() else _RUN.sub(lambda run: f" {_pairs(run[0])} ", text)


def folded(text: str) -> str:
    """Letters without their accents."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def starts_unspaced(text: str) -> bool:
    """Whether the first letter of a text is of an unspaced script."""
    return not text.isascii() and _FIRST.match(text.lstrip()) is not None


@cache
def joins() -> npt.NDArray[np.bool_]:
    """Whether a character makes one word with its like beside it, by its code point; the last place is of all further ones.

    Letters, digits and the marks on them do, but for letters of unspaced scripts, as all letters of the last place are.
    """
    unspaced = re.compile(f"[{UNSPACED}]")
    characters = map(chr, range(ALL_UNSPACED + 1))
    return np.array([_is_part(one) and unspaced.match(one) is None for one in characters])


def _is_part(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")


def _pairs(run: str) -> str:
    return " ".join(run[at : at + 2] for at in range(max(1, len(run) - 1)))
