"""What codes keep of vectors, and sets of words of what BM25 weighs, before any training.

Knows sequences, vectors, tokens and weights; knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.kmeans import check_vectors
from docid.ragged import IntArray, Ragged, chunks
from docid.words import WordSets, WordStatistics

__all__ = ["LIMITS", "vectors_kept", "words_kept"]

LIMITS = (8, 16, 32, 64, 128)


def vectors_kept(sequences: Ragged, vectors: npt.NDArray[Any]) -> list[float]:
    """The share of the vectors' squared norm that docids keep up to each position.

    A docid stands for a sum of vectors, one for each token at its position: the mean of what the positions before left
    over of all documents that have the token there. For residual codes that is about what their quantiser keeps.

    Args:
        sequences: a row of tokens for each document.
        vectors: floats [documents, dimensions]; a float32 copy is held.

    Raises:
        InputError: there is not one usable vector a document.
    """
    check_vectors(vectors)
    if len(vectors) != sequences.num_rows:
        raise InputError(
            f"found {len(vectors)} embeddings for {sequences.num_rows} documents; expected one each."
        )
    rest = np.array(vectors, np.float32)
    whole, kept = _squares(rest), list[float]()
    for position in range(int(sequences.lengths.max(initial=0))):
        rows = np.flatnonzero(sequences.lengths > position)
        tokens = sequences.values[sequences.offsets[rows] + position]
        _, group, counts = np.unique(tokens, return_inverse=True, return_counts=True)
        members = rows[np.argsort(group, kind="stable")]
        means = np.add.reduceat(rest[members], np.cumsum(counts) - counts, axis=0) / counts[:, None]
        rest[rows] -= means.astype(np.float32)[group]
        kept.append(1 - _squares(rest) / whole if whole else 1.0)
    return kept


def words_kept(
    tokens: Ragged, statistics: WordStatistics, sets: WordSets | None = None, limits: Sequence[int] = LIMITS
) -> dict[str, float]:
    """The share of a document's summed BM25 weight that its words carry, in the mean over documents with a token.

    Args:
        tokens: of each document, repeats counted, as words are chosen from.
        statistics: that weigh them.
        sets: the words that the documents have.
        limits: sizes of sets.

    Returns:
        "set" for `sets`, and "8", ... for the `limit` weightiest tokens of each document.

    Raises:
        InputError: the sets are of another number of documents, or a token is outside of the vocabulary.
    """
    if sets is not None and sets.num_documents != tokens.num_rows:
        raise InputError(
            f"found words of {sets.num_documents} documents and texts of {tokens.num_rows}; expected the same."
        )
    names, held = [*(["set"] if sets else []), *map(str, limits)], sets and sets.sets()
    sums, documents = np.zeros(len(names)), 0
    for part in chunks(tokens.num_rows):
        row, token, weight = statistics.weights(tokens, part)
        order = np.lexsort((-weight, row))
        row, token, weight = row[order], token[order], weight[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        kept = [rank < limit for limit in limits]
        if held:
            kept.insert(0, _held(held, part, row, token, len(statistics.frequencies)))
        sums += [_shares(row, weight, some).sum() for some in kept]
        documents += len(np.unique(row))
    return dict(zip(names, (sums / documents if documents else sums + 1).tolist(), strict=True))


def _held(sets: Ragged, part: slice, rows: IntArray, tokens: IntArray, vocab_size: int) -> IntArray:
    """Whether the set of each of some rows, of one part of all, holds a token: bool [n]."""
    offsets = sets.offsets[part.start : part.stop + 1]
    owners = np.repeat(np.arange(part.start, part.stop), np.diff(offsets))
    have = owners * vocab_size + sets.values[offsets[0] : offsets[-1]]
    return np.isin(rows * vocab_size + tokens, have, assume_unique=True)


def _shares(rows: IntArray, weights: npt.NDArray[Any], kept: IntArray) -> npt.NDArray[Any]:
    """Of the weights of each row that has any, the share that is kept: float64 [rows]."""
    whole = np.bincount(rows, weights)
    return np.bincount(rows, weights * kept)[whole > 0] / whole[whole > 0]


def _squares(vectors: npt.NDArray[np.float32]) -> float:
    return float(sum(np.square(vectors[part], dtype=np.float64).sum() for part in chunks(len(vectors))))
