"""How much more words count for a query whose codes do not tell the documents apart.

One weight of words beside codes cannot serve all queries: an encoder that knows what a query is about is nearly always
right, and one that does not puts noise of the same size into the sum. The best of N unrelated documents stands some
standard deviations above their mean by chance alone; only where a query's best document stands higher above the others
do its codes say something. Where they do not, and few documents have the words that are asked for, words decide.
LIMIT (Weller et al., "On the Theoretical Limitations of Embedding-Based Retrieval", 2025) is a task of such queries.
Knows scores; knows no model and no words.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

__all__ = [
    "EVEN",
    "FAINT",
    "LOUD",
    "LOUDEST",
    "RANK",
    "SURE",
    "UNSURE",
    "contradicted",
    "doubts",
    "emphases",
    "told_apart",
]

# Standard deviations above chance from which on codes are believed as they are. Of questions whose passage is there one
# in a hundred is below, among 46 passages as among 12,271; of questions that an encoder cannot answer nineteen in
# twenty stand below two thirds of it. From half of it on downwards they are not believed at all.
SURE, UNSURE = 1.5, 0.75
# Words tell documents apart where the one at this rank has less than this share of what the best has. Of questions that
# paraphrase a manual the tenth has .7 of the best in the middle; of those that ask for one thing of a list, .5 or less.
# A step and not a slope, which was worse on both: what lies between is doubt about words.
RANK, EVEN = 10, 0.6
# What the weight of words is multiplied with where codes say nothing, and words single out fewer than ten documents.
LOUDEST = 100.0
# Less of what the best has than this is next to nothing. Where fewer than ten documents have more, and the one that codes
# put first is none of them, words count so many times as much however sure codes are: of BoolQ's questions none, of
# LIMIT's four in five.
FAINT, LOUD = 0.1, 10.0
# Fewer other documents than this have no deviation to speak of.
LEAST = 2

FloatArray = npt.NDArray[np.float32]


def doubts(codes: FloatArray) -> FloatArray:
    """How far each query's best document stands as chance puts it: float32 [queries], from 0 (it stands out) to 1.

    Args:
        codes: float32 [queries, documents]; what their codes alone give to all documents, -inf where one has none.
    """
    return np.array([_doubt(row) for row in codes], np.float32)


def told_apart(words: FloatArray) -> bool:
    """Whether one query's words tell documents apart: fewer than `RANK` have nearly as much of them as the best.

    Args:
        words: float32 [documents]; what its words give to each, not below 0.
    """
    return _few(words, EVEN)


def contradicted(codes: FloatArray, words: FloatArray) -> bool:
    """Whether one query's words single out documents of which the one that codes put first is none.

    Args:
        codes: float32 [documents]; what their codes alone give to each, -inf where one has none.
        words: float32 [documents]; what its words give to each, not below 0.
    """
    if not len(words) or words[codes.argmax()] >= FAINT * float(words.max()):
        return False
    return _few(words, FAINT)


def emphases(doubt: FloatArray, told: npt.NDArray[np.bool_], against: npt.NDArray[np.bool_]) -> FloatArray:
    """What each query's words are to be multiplied with: float32 [queries], from 1 to `LOUDEST`.

    Args:
        doubt: float32 [queries]; as `doubts` gives it.
        told: bool [queries]; as `told_apart` gives it.
        against: bool [queries]; as `contradicted` gives it.
    """
    factors: FloatArray = np.power(LOUDEST, doubt * told, dtype=np.float32)
    return np.maximum(factors, np.where(against, LOUD, 1).astype(np.float32))


def _few(words: FloatArray, share: float) -> bool:
    """Whether fewer than `RANK` documents, or not all, have this share of what the best has."""
    best = float(words.max(initial=0))
    return best > 0 and int((words >= share * best).sum()) < min(RANK, len(words))


def _doubt(row: FloatArray) -> float:
    scores = row if np.isfinite(row).all() else row[np.isfinite(row)]
    others = len(scores) - 1
    if others < LEAST:
        return 0.0
    highest = float(scores.max())
    mean = (float(scores.sum(dtype=np.float64)) - highest) / others
    squares = float(np.square(scores - np.float32(mean)).sum(dtype=np.float64)) - (highest - mean) ** 2
    # Below what float32 can tell of numbers of this size there is no deviation.
    if squares <= others * (highest * float(np.finfo(np.float32).eps)) ** 2:
        return 0.0
    above = (highest - mean) / math.sqrt(squares / others) - _highest_by_chance(others)
    return min(max((SURE - above) / (SURE - UNSURE), 0.0), 1.0)


def _highest_by_chance(count: int) -> float:
    """The expected greatest of so many standard normal numbers (Blom, 1958)."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
