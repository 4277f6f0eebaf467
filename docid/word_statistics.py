"""What BM25 knows of a corpus, and how much of a document each of its tokens is.

S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Knows token ids and counts;
knows no text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, chunks

__all__ = ["MOST_DOCUMENTS", "WordStatistics", "token_rows"]

# Their numbers are stored in 28 bits.
MOST_DOCUMENTS = 1 << 28
# How soon a token's further occurrences add no more, and how much a long document's count less.
SATURATION, LENGTH_SHARE = 0.6, 0.75

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WordStatistics:
    """What BM25 knows of a corpus.

    Attributes:
        frequencies: int64 [vocab_size]; documents that hold each token.
        documents: how many there are.
        mean_length: tokens of a document.
    """

    frequencies: IntArray
    documents: int
    mean_length: float

    @classmethod
    def of(cls, tokens: Ragged, vocab_size: int) -> WordStatistics:
        """Count the tokens of documents, one a row, repeats counted.

        Raises:
            InputError: a token is outside of the vocabulary; the message names the document.
        """
        frequencies = np.zeros(vocab_size, np.int64)
        for rows in chunks(tokens.num_rows):
            _, found, _ = _counted(tokens, rows, vocab_size)
            frequencies += np.bincount(found, minlength=vocab_size)
        documents = tokens.num_rows
        return cls(frequencies, documents, len(tokens.values) / documents if documents else 0.0)

    def idf(self) -> FloatArray:
        """In nats, float32 [vocab_size]; above 0 for every token (Lucene's form of Robertson's)."""
        held = self.frequencies
        return np.log1p((self.documents - held + 0.5) / (held + 0.5)).astype(np.float32)

    def shares(self, tokens: Ragged, rows: slice) -> tuple[IntArray, IntArray, npt.NDArray[Any]]:
        """Row, token and share of its idf of each distinct token of some rows, by row and then by token.

        The share is BM25's: floats above 0 and below 1, the higher the more often a document has the token, and the
        shorter the document is.

        Raises:
            InputError: a token is outside of the vocabulary; the message names the document.
        """
        row, token, count = _counted(tokens, rows, len(self.frequencies))
        lengths = np.diff(tokens.offsets[rows.start : rows.stop + 1])[row - rows.start]
        relative = lengths / max(self.mean_length, 1e-9)
        return (
            row,
            token,
            count / (count + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * relative)),
        )

    def weights(self, tokens: Ragged, rows: slice) -> tuple[IntArray, IntArray, npt.NDArray[Any]]:
        """The same with BM25's weight (floats in nats) in place of the share."""
        row, token, share = self.shares(tokens, rows)
        return row, token, share * self.idf()[token]

    def fault(self) -> str | None:
        """What makes the numbers no statistics."""
        if not (math.isfinite(self.mean_length) and self.mean_length >= 0):
            return f"its documents have {self.mean_length} tokens in the mean"
        if not 0 <= self.documents <= MOST_DOCUMENTS:
            return f"its statistics are of {self.documents} documents"
        outside = self.frequencies[(self.frequencies < 0) | (self.frequencies > self.documents)]
        return f"a token is in {outside[0]} of {self.documents} documents" if len(outside) else None


def token_rows(tokens: Ragged, rows: slice, vocab_size: int) -> IntArray:
    """One number for row and token of each entry of some rows: row times `vocab_size`, and token.

    Raises:
        InputError: a token is outside of the vocabulary; the message names the document.
    """
    offsets = tokens.offsets[rows.start : rows.stop + 1].astype(np.int64)
    values = tokens.values[offsets[0] : offsets[-1]].astype(np.int64)
    numbers = np.repeat(np.arange(rows.start, rows.stop), np.diff(offsets))
    if len(outside := np.flatnonzero((values < 0) | (values >= vocab_size))):
        raise InputError(
            f"document {numbers[outside[0]]}: token {values[outside[0]]} is outside of the vocabulary of {vocab_size}."
        )
    return numbers * vocab_size + values


def _counted(tokens: Ragged, rows: slice, vocab_size: int) -> tuple[IntArray, IntArray, IntArray]:
    """Row, token and count of each distinct token of each row."""
    keys, count = np.unique(token_rows(tokens, rows, vocab_size), return_counts=True)
    return keys // vocab_size, keys % vocab_size, count
