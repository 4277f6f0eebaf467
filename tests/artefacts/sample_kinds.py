"""What all samples are made of, and which of two builds the makers write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from genret.corpus import Passage

DOCUMENTS = [[3, 1, 2, 1], [], [1, 2, 1, 2, 1, 2, 4], [5] * 9, [1, 2], [4, 4, 1], [2]]
PASSAGES = [
    Passage("seine", "Seine", "The Seine is a river in France."),
    Passage("röme", "Rome", "The city of Rome lies on a river."),
    Passage("alps", "", "The Alps are mountains; Mont Blanc is in France."),
    Passage("last", "Zebra", "A zebra has stripes."),
]
QUERIES = ["which river lies in france", "stripes of the zebra"]
STRINGS = ["0-1", "0-2", "1-1", "0-1"]
SEQUENCES = [[-1, -3], [-1, -4], [-2, -3], [-1, -3]]
NEW_TOKENS = ["<a_0>", "<a_1>", "<b_1>", "<b_2>"]
TEXTS = ["bb", "a", "dddd", "ccc", "a"]


def strings_of(passages: Iterable[Passage]) -> list[list[str]]:
    """As the first version kept them."""
    return [list(one[:3]) for one in passages]


# Which of two builds of the same kind and sizes the makers write: "good", or "other", of other content.
variant = "good"


def turned(rows: Sequence[Any]) -> list[Any]:
    """The rows; those of the other build are in another order."""
    return list(rows) if variant == "good" else [*rows[1:], rows[0]]


class Kind(NamedTuple):
    """How an artefact is written at a path (a file or a folder), and what is read from there."""

    make: Callable[[Path], object]
    answer: Callable[[Path], object]
