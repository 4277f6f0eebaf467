"""The words of documents: for each a set of at most so many tokens, stored by token, so that a query finds its own.

The lexical half of a docid: Zeng et al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.2,
takes the tokens that a trained model scores highest; here any weights serve, BM25's among them, which need no
training. Knows token ids and weights; knows no text and no model.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, chunks, gather, is_partition
from fm_index.container import ArtefactError, read_container, write_container

__all__ = ["WordSets", "WordStatistics"]

KIND = "docid-words"
VERSION = 1

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


@dataclass(frozen=True)
class WordSets:
    """Sets of tokens, one a document.

    Attributes:
        offsets: int64 [vocab_size + 1]; the documents of token t are `documents[offsets[t]:offsets[t + 1]]`.
        documents: uint32, ascending for each token.
        num_documents: documents, those with no word included.
        limit: the most tokens of a set.
        statistics: of the documents that the sets were first chosen for; later ones are weighed by the same.
    """

    offsets: IntArray
    documents: IntArray
    num_documents: int
    limit: int
    statistics: WordStatistics

    @classmethod
    def choose(
        cls,
        tokens: Ragged,
        vocab_size: int,
        *,
        limit: int = 64,
        titles: Ragged | None = None,
        title_weight: int = 3,
    ) -> WordSets:
        """The `limit` tokens of each document with the highest BM25 weights; equal weights in token order.

        Args:
            tokens: of each document's text, in any order, repeats counted.
            titles: of each document's title; each of its tokens counts `title_weight` times.

        Raises:
            InputError: a token is outside of the vocabulary, `limit` is below 1, or there is not one title a text.
        """
        if limit < 1:
            raise InputError(f"limit: expected at least 1 word a document, found {limit}.")
        everything = tokens if titles is None else _joined(tokens, titles, title_weight)
        statistics = WordStatistics.of(everything, vocab_size)
        empty = np.zeros(vocab_size + 1, np.int64), np.empty(0, np.uint32)
        none = cls(*empty, 0, limit, statistics)
        return none.extended(everything)

    def extended(self, tokens: Ragged) -> WordSets:
        """These sets and those of further documents, numbered from `num_documents`.

        Further documents are weighed by the statistics of the first, so that no set that is there changes.

        Raises:
            InputError: a token is outside of the vocabulary.
        """
        rows, found = self._best(tokens)
        order = np.lexsort((rows, found))
        more = np.bincount(found, minlength=self.vocab_size)
        had = np.diff(self.offsets)
        offsets = np.concatenate([[0], np.cumsum(had + more)])
        documents = np.empty(int(offsets[-1]), np.uint32)
        # A token's further documents come behind those that it has, whose numbers are lower.
        shift = np.repeat(offsets[:-1] - self.offsets[:-1], had)
        documents[np.arange(len(self.documents)) + shift] = self.documents
        firsts = np.cumsum(more) - more
        places = np.arange(len(found)) + np.repeat(offsets[:-1] + had - firsts, more)
        documents[places] = rows[order] + self.num_documents
        return replace(
            self, offsets=offsets, documents=documents, num_documents=self.num_documents + tokens.num_rows
        )

    @property
    def vocab_size(self) -> int:
        """Tokens that a set may hold: 0 to `vocab_size` - 1."""
        return len(self.offsets) - 1

    def sets(self) -> Ragged:
        """The tokens of each document, ascending: the sets the other way round, made anew at each call."""
        tokens = np.repeat(np.arange(self.vocab_size), np.diff(self.offsets))
        order = np.argsort(self.documents, kind="stable")
        lengths = np.bincount(self.documents, minlength=self.num_documents)
        return Ragged(tokens[order], np.concatenate([[0], np.cumsum(lengths)]))

    def holds(self, tokens: IntArray, documents: IntArray) -> npt.NDArray[np.bool_]:
        """Whether documents (int [n]) hold tokens (int [m]): bool [m, n]; none holds one outside of the vocabulary."""
        wanted = np.asarray(documents).astype(np.uint32)
        held = np.zeros((len(tokens), len(wanted)), bool)
        for row, token in enumerate(np.asarray(tokens).tolist()):
            if 0 <= token < self.vocab_size:
                listed = self.documents[self.offsets[token] : self.offsets[token + 1]]
                places = np.searchsorted(listed, wanted)
                inside = places < len(listed)
                held[row, inside] = listed[places[inside]] == wanted[inside]
        return held

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one checksummed file."""
        meta = {
            "num_documents": self.num_documents,
            "limit": self.limit,
            "counted": self.statistics.documents,
            "mean_length": self.statistics.mean_length,
        }
        arrays = {
            "offsets": self.offsets,
            "documents": self.documents,
            "frequencies": self.statistics.frequencies,
        }
        write_container(path, kind=KIND, version=VERSION, meta=meta, arrays=arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> WordSets:
        """Open a file that `save` wrote; postings are memory-mapped.

        Raises:
            ArtefactError: it is missing, damaged, of another kind, or newer; or what it holds are no sets.
        """
        stored = read_container(path, kind=KIND, version=VERSION, verify="full")
        try:
            meta, arrays = stored.meta, stored.arrays
            statistics = WordStatistics(
                arrays["frequencies"], int(meta["counted"]), float(meta["mean_length"])
            )
            words = cls(
                arrays["offsets"],
                arrays["documents"],
                int(meta["num_documents"]),
                int(meta["limit"]),
                statistics,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path}: damaged: it lacks a part of a file of words ({error}).") from error
        if wrong := words._wrong():
            raise ArtefactError(f"{path}: damaged: {wrong}.")
        return words

    def _best(self, tokens: Ragged) -> tuple[IntArray, IntArray]:
        """Rows and tokens of the chosen words."""
        idf = self.statistics.idf()
        rows, chosen = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for part in chunks(tokens.num_rows):
            row, token, count = _counted(tokens, part, self.vocab_size)
            lengths = np.diff(tokens.offsets[part.start : part.stop + 1])[row - part.start]
            weight = _bm25(count, lengths / max(self.statistics.mean_length, 1e-9)) * idf[token]
            order = np.lexsort((token, -weight, row))
            row, token = row[order], token[order]
            first = np.searchsorted(row, row, side="left")
            kept = np.arange(len(row)) - first < self.limit
            rows.append(row[kept])
            chosen.append(token[kept])
        return np.concatenate(rows), np.concatenate(chosen)

    def _wrong(self) -> str | None:
        """What makes the arrays no sets."""
        if self.offsets.dtype != np.int64 or self.documents.dtype != np.uint32:
            return "its arrays are of other types than words are stored in"
        if self.offsets.ndim != 1 or self.documents.ndim != 1:
            return "its arrays are no lists"
        if not is_partition(self.offsets, len(self.documents)):
            return "its offsets do not lead through its documents"
        if self.limit < 1 or self.statistics.frequencies.shape != (self.vocab_size,):
            return "its statistics are not of its vocabulary"
        falls = np.flatnonzero(self.documents[1:] <= self.documents[:-1]) + 1
        # Numbers may fall only where the postings of a token begin.
        begins = self.offsets[np.searchsorted(self.offsets, falls)] if len(falls) else falls
        if not np.array_equal(begins, falls):
            return "the documents of a token are not in order"
        if len(self.documents) and int(self.documents.max()) >= self.num_documents:
            return f"it leads to documents beyond its {self.num_documents}"
        return None


def _bm25(
    count: npt.NDArray[Any], length: npt.NDArray[Any], k1: float = 0.9, b: float = 0.4
) -> npt.NDArray[Any]:
    """The share of a term's weight that its count gives, in a document of `length` means.

    k1 and b are those of Anserini, which suit passages.
    """
    return count * (k1 + 1) / (count + k1 * (1 - b + b * length))


def _counted(tokens: Ragged, rows: slice, vocab_size: int) -> tuple[IntArray, IntArray, IntArray]:
    """Row, token and count of each distinct token of each row."""
    begins = tokens.offsets[rows.start : rows.stop].astype(np.int64)
    counts = tokens.offsets[rows.start + 1 : rows.stop + 1] - begins
    values = gather(tokens.values, begins, counts).values.astype(np.int64)
    numbers = np.repeat(np.arange(rows.start, rows.stop), counts)
    if len(outside := np.flatnonzero((values < 0) | (values >= vocab_size))):
        raise InputError(
            f"document {numbers[outside[0]]}: token {values[outside[0]]} is outside of the vocabulary of {vocab_size}."
        )
    keys, count = np.unique(numbers * vocab_size + values, return_counts=True)
    return keys // vocab_size, keys % vocab_size, count


def _joined(tokens: Ragged, titles: Ragged, times: int) -> Ragged:
    """Each document's title `times` times, and its text."""
    if titles.num_rows != tokens.num_rows:
        raise InputError(
            f"titles: found {titles.num_rows}, expected one for each of {tokens.num_rows} documents."
        )
    parts = [*[titles] * times, tokens]
    lengths = np.stack([part.lengths for part in parts], axis=1)
    offsets = np.concatenate([[0], np.cumsum(lengths.reshape(-1))])
    values = np.empty(int(offsets[-1]), np.int64)
    for place, part in enumerate(parts):
        begins = offsets[place : -1 : len(parts)]
        positions = np.arange(len(part.values)) + np.repeat(begins - part.offsets[:-1], part.lengths)
        values[positions] = part.values
    return Ragged(values, offsets[:: len(parts)])
