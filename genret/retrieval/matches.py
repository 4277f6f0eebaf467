"""What found a passage, and how to show it: the passage's text with its n-grams, or its words, marked.

Knows texts and spans; knows no index and no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Match", "Piece", "best_matches", "matches_text", "pieces"]

MOST_LISTED = 8


@dataclass(frozen=True)
class Match:
    """One n-gram, or one word of a docid, that found a passage.

    Attributes:
        text: the n-gram.
        view: where it came from; "words" of a docid.
        occurrences: in the whole corpus; of a word, the passages that have it.
        score: what it added to the passage's score (before the share of the best single n-gram).
        start, end: its tokens' places in the passage, `[start, end)`; of a word, wherever it is.
    """

    text: str
    view: str
    occurrences: int
    score: float
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """A part of a passage's text, and the best match that covers it, None where none does."""

    text: str
    match: Match | None


def pieces(texts: Sequence[str], matches: Sequence[Match]) -> list[Piece]:
    """The passage cut where matches begin and end, by the texts of its tokens; the better match wins a token."""
    owner: list[Match | None] = [None] * len(texts)
    for match in sorted(matches, key=lambda one: one.score):
        owner[match.start : match.end] = [match] * (match.end - match.start)
    return [Piece("".join(texts[begin:end]), owner[begin]) for begin, end in _runs(owner)]


def _runs(owner: Sequence[Match | None]) -> Iterator[tuple[int, int]]:
    """Begin and end of each longest run of tokens with one owner."""
    begin = 0
    for place in range(1, len(owner) + 1):
        if place == len(owner) or owner[place] is not owner[begin]:
            yield begin, place
            begin = place


def best_matches(matches: Sequence[Match]) -> list[Match]:
    """Those that count most, best first: what is listed of a passage."""
    return sorted(matches, key=lambda one: -one.score)[:MOST_LISTED]


def matches_text(passage: Sequence[Piece], matches: Sequence[Match], mark: str = "[{}]") -> str:
    """The passage in one paragraph with its matches marked, and below it a line for each of the best."""
    marked = "".join(piece.text if piece.match is None else _marked(piece.text, mark) for piece in passage)
    lines = [
        f"{one.score:9.2f}  {one.text.strip()!r}  {one.view}, {one.occurrences:,}x"
        for one in best_matches(matches)
    ]
    return "\n".join([" ".join(marked.split()), *lines])


def _marked(text: str, mark: str) -> str:
    """Marks stand around words, not around the space before them."""
    stripped = text.strip()
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{mark.format(stripped)}{after}" if stripped else text
