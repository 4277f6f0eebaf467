"""Passages with the n-grams that found them, as one HTML page.

Knows matches and what they add; knows no index and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from genret.browse.templates import render
from genret.retrieval.matches import Match, Piece, best_matches

__all__ = ["MatchedPassage", "matches_page"]


class MatchedPassage(NamedTuple):
    """A passage that was found: its text in pieces, all its matches, and its fields as a line."""

    passage_id: str
    score: float
    pieces: Sequence[Piece]
    matches: Sequence[Match]
    fields: str = ""

    @property
    def best(self) -> list[Match]:
        """The matches that are listed below the text."""
        return best_matches(self.matches)


def matches_page(query: str, found: Sequence[MatchedPassage]) -> str:
    """A page of passages, best first, with their matches marked; the stronger a match, the darker."""
    strongest = max((match.score for passage in found for match in passage.matches), default=1.0)
    return render("matches", title=query, passages=found, strongest=strongest)
