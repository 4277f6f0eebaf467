"""Whether a passage holds an answer, as DPR decides it: a run of equal words, whatever their case.

V. Karpukhin et al., EMNLP 2020, section 5 (after D. Chen et al., "Reading Wikipedia to Answer Open-Domain
Questions", ACL 2017): words are runs of letters, marks and digits, or single other characters that are neither
separators nor controls, in Unicode's decomposed form, lower-cased.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from genret.errors import InputError

__all__ = ["has_answer", "words"]

ASCII_WORD = re.compile(r"[a-z0-9]+|[^a-z0-9\x00-\x20\x7f]")


def words(text: str) -> list[str]:
    """The words of a text."""
    if text.isascii():
        return ASCII_WORD.findall(text.lower())
    found: list[str] = []
    for kind, characters in groupby(unicodedata.normalize("NFD", text), _kind):
        if kind == "word":
            found.append("".join(characters).lower())
        elif kind == "single":
            found.extend(character.lower() for character in characters)
    return found


def has_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether the words of any answer stand in `text`, one after the other.

    Raises:
        InputError: an answer has no word: it would match any text.
    """
    found = words(text)
    for answer in answers:
        wanted = words(answer)
        if not wanted:
            raise InputError(f"the answer {answer!r} has no word; it would match any text. Remove it.")
        if any(found[begin : begin + len(wanted)] == wanted for begin in range(len(found) - len(wanted) + 1)):
            return True
    return False


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> str:
    category = unicodedata.category(character)[0]
    return "word" if category in "LNM" else "none" if category in "ZC" else "single"
