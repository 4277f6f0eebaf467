"""What found a passage, and how to show it: the passage's text with its n-grams marked.

Knows texts and spans; knows no index and no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Match", "Piece", "matches_html", "matches_text", "pieces"]

MOST_LISTED = 8


@dataclass(frozen=True)
class Match:
    """One n-gram that found a passage.

    Attributes:
        text: the n-gram.
        view: where it came from.
        occurrences: in the whole corpus.
        score: what it added to the passage's score (before the share of the best single n-gram).
        start, end: its tokens' places in the passage, `[start, end)`.
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


def matches_text(passage: Sequence[Piece], matches: Sequence[Match], mark: str = "[{}]") -> str:
    """The passage in one paragraph with its matches marked, and below it a line for each of the best."""
    marked = "".join(piece.text if piece.match is None else _marked(piece.text, mark) for piece in passage)
    best = sorted(matches, key=lambda one: -one.score)[:MOST_LISTED]
    lines = [f"{one.score:9.2f}  {one.text.strip()!r}  {one.view}, {one.occurrences:,}x" for one in best]
    return "\n".join([" ".join(marked.split()), *lines])


def _marked(text: str, mark: str) -> str:
    """Marks stand around words, not around the space before them."""
    stripped = text.strip()
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{mark.format(stripped)}{after}" if stripped else text


def matches_html(query: str, found: Sequence[tuple[str, float, Sequence[Piece], Sequence[Match]]]) -> str:
    """A page of passages with their matches marked; the stronger a match, the darker.

    Args:
        query: the question.
        found: of each passage its passage_id, score, pieces and matches, best first.
    """
    strongest = max((one.score for *_, matches in found for one in matches), default=1.0)
    articles = "\n".join(
        _article(rank, passage_id, score, passage, matches, strongest)
        for rank, (passage_id, score, passage, matches) in enumerate(found, start=1)
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(query)}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; }}
mark {{ padding: .1em 0; border-radius: .2em; }}
table {{ border-collapse: collapse; font-size: .85em; }} td {{ padding: 0 1em 0 0; }}
</style>
<h1>{escape(query)}</h1>
{articles}
</html>
"""


def _article(
    rank: int,
    passage_id: str,
    score: float,
    passage: Sequence[Piece],
    matches: Sequence[Match],
    strongest: float,
) -> str:
    text = "".join(_html_piece(piece, strongest) for piece in passage)
    best = sorted(matches, key=lambda one: -one.score)[:MOST_LISTED]
    rows = "".join(
        f"<tr><td>{escape(one.text.strip())}<td>{escape(one.view)}<td>{one.occurrences:,}&times;"
        f"<td>{one.score:.2f}"
        for one in best
    )
    return (
        f"<article><h2>{rank}. {escape(passage_id)} <small>{score:.2f}</small></h2>\n<p>{text}</p>\n"
        f"<table>{rows}</table></article>"
    )


def _html_piece(piece: Piece, strongest: float) -> str:
    text = escape(piece.text).replace("\n", "<br>")
    if piece.match is None:
        return text
    strength = 0.15 + 0.85 * piece.match.score / strongest
    title = escape(f"{piece.match.view}, {piece.match.score:.2f}")
    return f'<mark title="{title}" style="background:rgba(255,180,0,{strength:.2f})">{text}</mark>'
