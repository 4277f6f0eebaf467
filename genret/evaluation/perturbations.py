"""Queries as people mistype them: with typos, in another order of words, in other letters' case.

Knows texts alone. A seed and the text decide what changes, so that neither other queries nor their order matter; level 2
changes at least as much as level 1. What has no letter stays as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias, TypeVar

from genret.corpus import Query

__all__ = ["LEVELS", "Perturbation", "perturb", "perturbed"]

T = TypeVar("T")
Perturbation: TypeAlias = Literal["typos", "order", "case"]
LEVELS = (1, 2)
# Of the words, at each level; at least one word.
SHARES = {"typos": (1 / 8, 1 / 3), "order": (1 / 4, 1.0), "case": (1 / 3, 1.0)}
WORD = re.compile(r"\w+(?:['’-]\w+)*")
# Shorter words are mistyped where no longer ones are left.
LONG = 4
# The letters of a keyboard, and how far to the right each row begins.
ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
KEYS = {key: (begin + x, y) for y, (row, begin) in enumerate(ROWS) for x, key in enumerate(row)}
NEIGHBOURS = {
    key: [other for other, (u, v) in KEYS.items() if other != key and abs(u - x) <= 1 and abs(v - y) <= 1]
    for key, (x, y) in KEYS.items()
}


def perturbed(queries: Iterable[Query], kind: Perturbation, level: int, seed: int = 0) -> list[Query]:
    """The queries, each with its text perturbed."""
    return [query._replace(text=perturb(query.text, kind, level, seed)) for query in queries]


def perturb(text: str, kind: Perturbation, level: int, seed: int = 0) -> str:
    """A text with some of its words changed.

    Args:
        kind: "typos" changes a letter of a word in eight (level 1) or three (level 2): the key beside it, two letters
            exchanged, one left out, one doubled; "order" exchanges neighbours among the words, one pair for four words, or
            shuffles all; "case" writes a word in three, or all, in capitals, in small letters, or with a first capital.
        level: 1 or 2.
    """
    found = [match for match in WORD.finditer(text) if any(map(str.isalpha, match[0]))]
    words = [match[0] for match in found]
    if not words:
        return text
    rng = random.Random(f"{seed} {kind} {text}".encode("utf-8", "surrogatepass"))
    changed = KINDS[kind](words, SHARES[kind][level - 1], rng)
    pieces, end = [], 0
    for match, word in zip(found, changed, strict=True):
        pieces += [text[end : match.start()], word]
        end = match.end()
    return "".join([*pieces, text[end:]])


def _typos(words: Sequence[str], share: float, rng: random.Random) -> list[str]:
    # All are drawn at either level, so that the words of level 1 have the same typos at level 2.
    mistyped = [_mistyped(word, rng) for word in words]
    order = sorted(_shuffled(range(len(words)), rng), key=lambda place: len(words[place]) < LONG)
    chosen = set(order[: _count(len(words), share)])
    return [mistyped[place] if place in chosen else word for place, word in enumerate(words)]


def _mistyped(word: str, rng: random.Random) -> str:
    place = rng.choice([place for place, letter in enumerate(word) if letter.isalpha()])
    before, letter, after = word[:place], word[place], word[place + 1 :]
    beside = rng.choice(NEIGHBOURS.get(letter.lower(), [letter]))
    edits = [
        before + (beside.upper() if letter.isupper() else beside) + after,
        before + after[:1] + letter + after[1:],
        before + after,
        before + 2 * letter + after,
    ]
    return next(edit for edit in _shuffled(edits, rng) if edit not in ("", word))


def _order(words: Sequence[str], share: float, rng: random.Random) -> list[str]:
    swapped, free = list(words), set(range(len(words) - 1))
    pairs = _count(len(words), SHARES["order"][0])
    for place in _shuffled(range(len(words) - 1), rng):
        if pairs and place in free and words[place] != words[place + 1]:
            swapped[place : place + 2] = words[place + 1], words[place]
            free -= {place - 1, place, place + 1}
            pairs -= 1
    if share < 1:
        return swapped

    def moved(other: Sequence[str]) -> int:
        return sum(one != two for one, two in zip(words, other, strict=True))

    return max(_shuffled(words, rng), swapped, key=moved)


def _case(words: Sequence[str], share: float, rng: random.Random) -> list[str]:
    forms: list[Callable[[str], str]] = [str.upper, str.lower, str.capitalize]
    written = [[form(word) for word in words] for form in forms]
    others = [one for one in written if one != list(words)]
    if not others:
        return list(words)
    other = rng.choice(others)
    order = _shuffled([place for place, word in enumerate(words) if other[place] != word], rng)
    chosen = set(order[: _count(len(order), share)])
    return [other[place] if place in chosen else word for place, word in enumerate(words)]


def _count(words: int, share: float) -> int:
    return max(1, round(words * share))


def _shuffled(items: Sequence[T], rng: random.Random) -> list[T]:
    return rng.sample(items, len(items))


KINDS: dict[Perturbation, Callable[[Sequence[str], float, random.Random], list[str]]] = {
    "typos": _typos,
    "order": _order,
    "case": _case,
}
