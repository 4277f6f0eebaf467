"""The lexical part of scores of documents that were found: how much, which words, and where in the passage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray
from docid.simultaneous import WeightedTokens
from genret.retrieval.matches import Match, Piece
from genret.words import Words
from genret.words.word_reader import WordReader

__all__ = ["WordMatch", "WordParts", "marked_words", "word_parts"]


class WordMatch(NamedTuple):
    """A word that a query and a docid share, as the tokenizer writes it, and what it is worth to this docid."""

    text: str
    score: float


class WordParts(NamedTuple):
    """Of n documents and the m words of one query.

    Attributes:
        scores: float32 [n]; of the words that each document holds, added in the query's order.
        worth: float32 [m, n]; of each word to each document, 0 where it does not hold it.
        tokens: int64 [m]; the words.
    """

    scores: npt.NDArray[np.float32]
    worth: npt.NDArray[np.float32]
    tokens: IntArray

    def of(self, place: int, names: Mapping[int, str]) -> tuple[WordMatch, ...]:
        """The words that document `place` holds, by their names, the most valuable first."""
        own = self.worth[:, place]
        found = [
            WordMatch(names[int(self.tokens[word])], float(own[word]))
            for word in np.flatnonzero(own).tolist()
        ]
        return tuple(sorted(found, key=lambda match: -match.score))


def word_parts(
    words: Words | None, weighted: WeightedTokens | None, query: int, documents: IntArray
) -> WordParts:
    """What the words of a query, number `query` of `weighted`, give to documents (int64 [n])."""
    scores = np.zeros(len(documents), np.float32)
    if words is None or weighted is None:
        return WordParts(scores, np.zeros((0, len(documents)), np.float32), np.empty(0, np.int64))
    part = slice(int(weighted.offsets[query]), int(weighted.offsets[query + 1]))
    tokens, weights = weighted.tokens[part], weighted.weights[part]
    worth = weights[:, None] * words.sets.shares(tokens, documents)
    for row in worth:
        scores += row
    return WordParts(scores, worth, tokens)


def marked_words(text: str, reader: WordReader, matches: Mapping[str, Match]) -> list[Piece]:
    """A text cut where its words are those of `matches`, by their names; for fast tokenizers."""
    pieces, done = [], 0
    for _, name, begin, end in reader.spans(text):
        if name in matches and begin < end:
            pieces += [Piece(text[done:begin], None), Piece(text[begin:end], matches[name])]
            done = end
    return [piece for piece in [*pieces, Piece(text[done:], None)] if piece.text]
