"""The lexical part of scores of documents that were found: how much, which words, and where in the passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray
from docid.simultaneous import WeightedTokens
from genret.retrieval.matches import Match, Piece
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_offsets
from genret.words import Words

__all__ = ["WordMatch", "WordParts", "marked_words", "word_parts"]

# Tokens that a tokenizer puts around a text, at most.
MOST_SPECIAL = 8


class WordMatch(NamedTuple):
    """A word that a query and a docid share, as the tokenizer writes it, and what it is worth."""

    text: str
    score: float


class WordParts(NamedTuple):
    """Of n documents and the m words of one query.

    Attributes:
        scores: float32 [n]; of the words that each document holds, added in the query's order.
        held: bool [m, n].
        matches: the words.
    """

    scores: npt.NDArray[np.float32]
    held: npt.NDArray[np.bool_]
    matches: tuple[WordMatch, ...]

    def of(self, place: int) -> tuple[WordMatch, ...]:
        """The words that document `place` holds, the most valuable first."""
        own = [self.matches[word] for word in np.flatnonzero(self.held[:, place]).tolist()]
        return tuple(sorted(own, key=lambda match: -match.score))


def word_parts(
    words: Words | None, weighted: WeightedTokens | None, query: int, documents: IntArray
) -> WordParts:
    """What the words of a query, number `query` of `weighted`, give to documents (int64 [n])."""
    scores = np.zeros(len(documents), np.float32)
    if words is None or weighted is None:
        return WordParts(scores, np.zeros((0, len(documents)), bool), ())
    part = slice(int(weighted.offsets[query]), int(weighted.offsets[query + 1]))
    tokens, weights = weighted.tokens[part], weighted.weights[part]
    held = words.sets.holds(tokens, documents)
    for row, weight in zip(held, weights, strict=True):
        scores[row] += weight
    matches = map(WordMatch, words.names(tokens), weights.tolist())
    return WordParts(scores, held, tuple(matches))


def marked_words(text: str, tokenizer: Tokenizer, matches: Mapping[str, Match]) -> list[Piece]:
    """A text cut where its tokens are words of `matches` (by the tokenizer's own writing of them); for fast tokenizers."""
    ids, offsets = text_offsets(tokenizer, text, len(text) + MOST_SPECIAL)
    names = tokenizer.convert_ids_to_tokens(ids)
    pieces, done = [], 0
    for name, (begin, end) in zip(names, offsets, strict=True):
        if name in matches and begin < end:
            pieces += [Piece(text[done:begin], None), Piece(text[begin:end], matches[name])]
            done = end
    return [piece for piece in [*pieces, Piece(text[done:], None)] if piece.text]
