"""The words of documents: for each a set of at most so many tokens, stored by token, so that a query finds its own.

The lexical half of a docid: Zeng et al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.2,
takes the tokens that a trained model scores highest; here any weights serve, BM25's among them, which need no
training. Knows token ids and weights; knows no text and no model.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, chunks, is_partition, row_of
from docid.table import DocidTable
from fm_index.container import ArtefactError, Section, read_container, write_container

__all__ = ["ALONE", "WordSets", "WordStatistics", "words_alone"]

KIND = "docid-words"
# 2: with which vocabulary, and how often titles counted.
VERSION = 2
SECTIONS = {"offsets": Section("<i8"), "documents": Section("<u4"), "frequencies": Section("<i8")}
# Their numbers are stored in four bytes.
MOST_DOCUMENTS = 1 << 32
# The one docid of all documents that are told apart by their words alone.
ALONE = "<words>"
META = {"num_documents": int, "limit": int, "counted": int, "mean_length": float}
CHOSEN_WITH = {"vocabulary": str, "title_weight": int}

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

    def weights(self, tokens: Ragged, rows: slice) -> tuple[IntArray, IntArray, npt.NDArray[Any]]:
        """Row, token and BM25 weight (floats in nats) of each distinct token of some rows; by row and then by token.

        Raises:
            InputError: a token is outside of the vocabulary; the message names the document.
        """
        row, token, count = _counted(tokens, rows, len(self.frequencies))
        lengths = np.diff(tokens.offsets[rows.start : rows.stop + 1])[row - rows.start]
        return row, token, _bm25(count, lengths / max(self.mean_length, 1e-9)) * self.idf()[token]

    def _wrong(self) -> str | None:
        """What makes the numbers no statistics."""
        if not (math.isfinite(self.mean_length) and self.mean_length >= 0):
            return f"its documents have {self.mean_length} tokens in the mean"
        if not 0 <= self.documents <= MOST_DOCUMENTS:
            return f"its statistics are of {self.documents} documents"
        outside = self.frequencies[(self.frequencies < 0) | (self.frequencies > self.documents)]
        return f"a token is in {outside[0]} of {self.documents} documents" if len(outside) else None


@dataclass(frozen=True)
class WordSets:
    """Sets of tokens, one a document.

    Attributes:
        offsets: int64 [vocab_size + 1]; the documents of token t are `documents[offsets[t]:offsets[t + 1]]`.
        documents: uint32, ascending for each token.
        num_documents: documents, those with no word included.
        limit: the most tokens of a set.
        statistics: of the documents that the sets were first chosen for; later ones are weighed by the same.
        vocabulary: tells it from others of its size; None: not known.
        title_weight: how often tokens of titles were counted among `tokens`; None: not known.
    """

    offsets: IntArray
    documents: IntArray
    num_documents: int
    limit: int
    statistics: WordStatistics
    vocabulary: str | None = None
    title_weight: int | None = None

    @classmethod
    def choose(cls, tokens: Ragged, vocab_size: int, *, limit: int = 64) -> WordSets:
        """The `limit` tokens of each document with the highest BM25 weights; equal weights in token order.

        Args:
            tokens: of each document, in any order, repeats counted.

        Raises:
            InputError: a token is outside of the vocabulary, or `limit` is below 1.
        """
        return cls.none(WordStatistics.of(tokens, vocab_size), limit=limit).extended(tokens)

    @classmethod
    def none(cls, statistics: WordStatistics, *, limit: int = 64) -> WordSets:
        """The sets of no documents, which `extended` adds to; whose words are scored by a model begin here.

        Raises:
            InputError: `limit` is below 1.
        """
        if limit < 1:
            raise InputError(f"limit: expected at least 1 word a document, found {limit}.")
        vocab_size = len(statistics.frequencies)
        return cls(np.zeros(vocab_size + 1, np.int64), np.empty(0, np.uint32), 0, limit, statistics)

    def extended(self, tokens: Ragged, scores: FloatArray | None = None) -> WordSets:
        """These sets and those of further documents, numbered from `num_documents`.

        Further documents are weighed by the statistics of the first, so that no set that is there changes.

        Args:
            tokens: of each document, as `choose` takes them.
            scores: float32 [all tokens]; what each is worth to its document, in place of a BM25 weight. The highest
                counts where a token is repeated.

        Raises:
            InputError: a token is outside of the vocabulary, or there is not one finite score a token.
        """
        if scores is not None:
            _check_scores(tokens, scores)
        parts = [self._best(tokens, part, scores) for part in chunks(tokens.num_rows)]
        had = np.diff(self.offsets)
        more = [np.bincount(found, minlength=self.vocab_size) for found, _ in parts]
        offsets = np.concatenate([[0], np.cumsum(had + sum(more))])
        documents = np.empty(int(offsets[-1]), np.uint32)
        for token in np.flatnonzero(had):
            own = self.documents[self.offsets[token] : self.offsets[token + 1]]
            documents[offsets[token] : offsets[token] + len(own)] = own
        # A token's further documents come behind those that it has, whose numbers are lower.
        free = offsets[:-1] + had
        for (found, rows), counts in zip(parts, more, strict=True):
            firsts = np.cumsum(counts) - counts
            documents[(free - firsts)[found] + np.arange(len(found))] = rows + self.num_documents
            free += counts
        return replace(
            self, offsets=offsets, documents=documents, num_documents=self.num_documents + tokens.num_rows
        )

    def without(self, documents: IntArray) -> WordSets:
        """The sets in which these documents (int [n]) have no words; they keep their numbers, as they do in a table.

        Removing twice changes nothing. The statistics stay, so that no word's weight changes.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64).reshape(-1)
        if len(outside := rows[(rows < 0) | (rows >= self.num_documents)]):
            raise InputError(
                f"document {outside[0]}: no such document; there are words of {self.num_documents}, numbered from 0."
            )
        removed = np.zeros(self.num_documents, bool)
        removed[rows] = True
        going = removed[self.documents]
        # Every bound moves by as many as go before it.
        offsets = self.offsets - np.searchsorted(np.flatnonzero(going), self.offsets)
        return replace(self, offsets=offsets, documents=self.documents[~going])

    def only(self, documents: IntArray) -> WordSets:
        """The sets of these documents alone (ascending, int [n]), numbered from 0; the statistics stay.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64)
        gone = np.ones(self.num_documents, bool)
        gone[rows[(rows >= 0) & (rows < self.num_documents)]] = False
        fewer = self.without(np.flatnonzero(gone))
        if len(rows) + int(gone.sum()) != self.num_documents:
            raise InputError(f"documents: expected distinct ones of {self.num_documents}, numbered from 0.")
        numbers = (np.cumsum(~gone) - 1).astype(np.uint32)
        return replace(fewer, documents=numbers[fewer.documents], num_documents=len(rows))

    @property
    def vocab_size(self) -> int:
        """Tokens that a set may hold: 0 to `vocab_size` - 1."""
        return len(self.offsets) - 1

    def widened(self, vocab_size: int, vocabulary: str) -> WordSets:
        """The same sets in a vocabulary of further tokens, that no document holds.

        Raises:
            InputError: it has fewer tokens.
        """
        more = vocab_size - self.vocab_size
        if more < 0:
            raise InputError(f"vocab_size: expected at least {self.vocab_size}, found {vocab_size}.")
        statistics = replace(self.statistics, frequencies=np.pad(self.statistics.frequencies, (0, more)))
        offsets = np.pad(self.offsets, (0, more), mode="edge")
        return replace(self, offsets=offsets, statistics=statistics, vocabulary=vocabulary)

    def sets(self) -> Ragged:
        """The tokens of each document, ascending: the sets the other way round, made anew at each call."""
        tokens = np.repeat(np.arange(self.vocab_size), np.diff(self.offsets))
        # Stable: tokens of a document stay ascending.
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
            "vocabulary": self.vocabulary,
            "title_weight": self.title_weight,
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
        meta, arrays = stored.meta, stored.arrays
        known = {name: kind for name, kind in CHOSEN_WITH.items() if meta.get(name) is not None}
        stored.check(path, SECTIONS, META | known)
        statistics = WordStatistics(arrays["frequencies"], meta["counted"], meta["mean_length"])
        numbers, chosen_with = (
            (meta["num_documents"], meta["limit"]),
            (meta.get(name) for name in CHOSEN_WITH),
        )
        words = cls(arrays["offsets"], arrays["documents"], *numbers, statistics, *chosen_with)
        if wrong := words._wrong() or statistics._wrong():
            raise ArtefactError(f"{path}: damaged: {wrong}. Choose the words again.")
        return words

    def _best(
        self, tokens: Ragged, part: slice, scores: FloatArray | None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
        """Tokens and rows of the chosen words of some rows, by token and then by row."""
        if scores is None:
            row, token, weight = self.statistics.weights(tokens, part)
        else:
            row, token, weight = _scored(tokens, part, self.vocab_size, scores)
        order = np.lexsort((token, -weight, row))
        row, token = row[order], token[order]
        kept = np.arange(len(row)) - np.searchsorted(row, row, side="left") < self.limit
        row, token = row[kept], token[kept]
        order = np.argsort(token, kind="stable")
        return token[order].astype(np.int32), row[order].astype(np.uint32)

    def _wrong(self) -> str | None:
        """What makes the arrays no sets."""
        if not is_partition(self.offsets, len(self.documents)):
            return "its offsets do not lead through its documents"
        if self.limit < 1 or not 0 <= self.num_documents <= MOST_DOCUMENTS:
            return f"it says {self.limit} words for each of {self.num_documents} documents"
        if len(self.statistics.frequencies) != self.vocab_size:
            return "its statistics are not of its vocabulary"
        for part in chunks(len(self.documents)):
            first = max(part.start - 1, 0)
            some = self.documents[first : part.stop]
            if int(some.max()) >= self.num_documents:
                return f"it leads to documents beyond its {self.num_documents}"
            # Numbers may fall only where the postings of a token begin.
            falls = np.flatnonzero(some[1:] <= some[:-1]) + first + 1
            if not np.array_equal(self.offsets[np.searchsorted(self.offsets, falls)], falls):
                return "the documents of a token are not in order"
        return None


def words_alone(table: DocidTable) -> bool:
    """Whether the documents of a table have no codes of their own."""
    return table.new_tokens == [ALONE] and table.num_docids <= 1


def _bm25(
    count: npt.NDArray[Any], length: npt.NDArray[Any], k1: float = 0.9, b: float = 0.4
) -> npt.NDArray[Any]:
    """The share of a term's weight that its count gives, in a document of `length` means.

    k1 and b are those of Anserini, which suit passages.
    """
    return count * (k1 + 1) / (count + k1 * (1 - b + b * length))


def _counted(tokens: Ragged, rows: slice, vocab_size: int) -> tuple[IntArray, IntArray, IntArray]:
    """Row, token and count of each distinct token of each row."""
    keys, count = np.unique(_keys(tokens, rows, vocab_size), return_counts=True)
    return keys // vocab_size, keys % vocab_size, count


def _scored(
    tokens: Ragged, rows: slice, vocab_size: int, scores: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Row, token and highest score of each distinct token of each row."""
    keys, place = np.unique(_keys(tokens, rows, vocab_size), return_inverse=True)
    highest = np.full(len(keys), -np.inf, np.float32)
    np.maximum.at(highest, place, scores[tokens.offsets[rows.start] : tokens.offsets[rows.stop]])
    return keys // vocab_size, keys % vocab_size, highest


def _keys(tokens: Ragged, rows: slice, vocab_size: int) -> IntArray:
    """One number for row and token of each entry of some rows."""
    offsets = tokens.offsets[rows.start : rows.stop + 1].astype(np.int64)
    values = tokens.values[offsets[0] : offsets[-1]].astype(np.int64)
    numbers = np.repeat(np.arange(rows.start, rows.stop), np.diff(offsets))
    if len(outside := np.flatnonzero((values < 0) | (values >= vocab_size))):
        raise InputError(
            f"document {numbers[outside[0]]}: token {values[outside[0]]} is outside of the vocabulary of {vocab_size}."
        )
    return numbers * vocab_size + values


def _check_scores(tokens: Ragged, scores: FloatArray) -> None:
    if scores.shape != tokens.values.shape:
        raise InputError(
            f"scores: found shape {scores.shape}, expected one for each of {len(tokens.values)} tokens."
        )
    if len(bad := np.flatnonzero(~np.isfinite(scores))):
        raise InputError(
            f"document {row_of(tokens.offsets, int(bad[0]))}: the score of its token {tokens.values[bad[0]]} is "
            f"{scores[bad[0]]}; expected a finite number."
        )
