"""The lexical part of scores of documents that were found: how much, and which words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray
from docid.simultaneous import WeightedTokens
from genret.words import Words

__all__ = ["WordParts", "word_parts"]


class WordParts(NamedTuple):
    """Of n documents and the m words of one query.

    Attributes:
        scores: float32 [n]; of the words that each document holds, added in the query's order.
        held: bool [m, n].
        order: int64 [m]; the words, the most valuable first.
        spelled: the words as text.
    """

    scores: npt.NDArray[np.float32]
    held: npt.NDArray[np.bool_]
    order: IntArray
    spelled: tuple[str, ...]

    def names(self, place: int) -> tuple[str, ...]:
        """The words that document `place` holds, the most valuable first."""
        return tuple(self.spelled[word] for word in self.order if self.held[word, place])


def word_parts(
    words: Words | None, weighted: WeightedTokens | None, query: int, documents: IntArray
) -> WordParts:
    """What the words of a query, number `query` of `weighted`, give to documents (int64 [n])."""
    scores = np.zeros(len(documents), np.float32)
    if words is None or weighted is None:
        return WordParts(scores, np.zeros((0, len(documents)), bool), np.empty(0, np.int64), ())
    part = slice(int(weighted.offsets[query]), int(weighted.offsets[query + 1]))
    tokens, weights = weighted.tokens[part], weighted.weights[part]
    held = words.sets.holds(tokens, documents)
    for row, weight in zip(held, weights, strict=True):
        scores[row] += weight
    return WordParts(scores, held, np.argsort(-weights, kind="stable"), words.names(tokens))
