"""Which documents have the same identifier: equal codes, and equal sets of words. Knows integers only."""

from __future__ import annotations

import numpy as np

from docid.ragged import IntArray, Ragged

__all__ = ["identifiers"]


def identifiers(codes: IntArray, sets: Ragged) -> IntArray:
    """A number for each document, equal where both parts of two identifiers are: int64 [n].

    Args:
        codes: ints from 0 [n], equal where documents have the same codes.
        sets: each document's words, ascending.
    """
    numbers = codes.astype(np.int64)
    # A word at a time, of those that the words before do not tell apart.
    rows, place = _shared(numbers, np.arange(len(numbers))), 0
    while len(rows):
        inside = sets.lengths[rows] > place
        words = np.full(len(rows), -1, np.int64)
        words[inside] = sets.values[sets.offsets[rows[inside]] + place]
        pairs = np.stack([numbers[rows], words], axis=1)
        numbers[rows] = numbers.max() + 1 + np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        # Sets that have ended are equal, and stay so.
        rows, place = _shared(numbers, rows[inside]), place + 1
    return numbers


def _shared(numbers: IntArray, rows: IntArray) -> IntArray:
    """The rows whose number is another's too."""
    _, own, counts = np.unique(numbers[rows], return_inverse=True, return_counts=True)
    return rows[counts[own] > 1]
