"""What a word of a query tells of the passages that answer it, counted from labelled queries.

A word that is rare in passages need not tell much where it is asked: of the queries with "does" in them few are answered by
a passage that holds it. The weight of a word is the log-odds of a passage that answers a query with it to hold it, above
those of any passage: S. E. Robertson and K. Sparck Jones, "Relevance Weighting of Search Terms", 1976. Knows words and
counts; knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from genret.words.words import Words

__all__ = ["weighed_by_relevance"]

# So many queries' worth of what holds for rare words is added to what was counted of each word.
PRIOR = 5.0
# Words in at most so many queries say what holds for rare words.
RARE = 20


def weighed_by_relevance(words: Words, queries: Sequence[str], rows: Sequence[Sequence[int]]) -> Words:
    """The words with factors on their idf, so that each counts its relevance weight, 0 at least.

    A word that no query has keeps about the weight that its idf gives it. Words that documents lost to the limit of their
    sets count as not held.

    Args:
        queries: labelled queries.
        rows: the relevant documents of each.
    """
    asked, held = _counts(words, queries, rows)
    rare = asked <= RARE
    prior = (held[rare].sum() + 0.5) / (asked[rare].sum() + 1.0)
    chance = np.clip((held + PRIOR * prior) / (asked + PRIOR), 1e-6, 1 - 1e-6)
    statistics = words.sets.statistics
    background = (statistics.frequencies + 0.5) / (statistics.documents + 1.0)
    weights = np.maximum(_log_odds(chance) - _log_odds(np.minimum(background, 1 - 1e-6)), 0.0)
    return replace(words, factors=(weights / statistics.idf()).astype(np.float32))


def _counts(
    words: Words, queries: Sequence[str], rows: Sequence[Sequence[int]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of each word: pairs of a query with it and a relevant document, and how many of these documents hold it."""
    asked, held = np.zeros(words.sets.vocab_size), np.zeros(words.sets.vocab_size)
    for numbers, relevant in zip(words.reader.numbers(queries), rows, strict=True):
        tokens = np.unique(numbers)
        asked[tokens] += len(relevant)
        held[tokens] += (words.sets.shares(tokens, np.array(relevant, np.int64)) > 0).sum(1)
    return asked, held


def _log_odds(chance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.log(chance) - np.log1p(-chance)
    return found
