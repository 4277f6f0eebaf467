"""The words of documents: for each a set of at most so many tokens, stored by token, so that a query finds its own.

The lexical half of a docid: Zeng et al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.2,
takes the tokens that a trained model scores highest; here any weights serve, BM25's among them, which need no
training. With each token four bits say how much of its document it is, so that a long document, or one that only
names a word, counts less. Knows token ids and weights; knows no text and no model.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, chunks, is_partition, row_of
from docid.table import DocidTable
from docid.word_statistics import MOST_DOCUMENTS, WordStatistics, token_rows
from fm_index.container import ArtefactError, Section, read_container, write_container

__all__ = ["ALONE", "LEVEL_BITS", "SHARES", "WordSets", "WordStatistics", "words_alone"]

KIND = "docid-words"
# 2: with which vocabulary, and how often titles counted. 3: a document's number and how much of it a token is, in the
# place of the number.
VERSION = 3
SECTIONS = {"offsets": Section("<i8"), "postings": Section("<u4"), "frequencies": Section("<i8")}
# Of the earlier versions.
UNWEIGHTED = {"offsets": Section("<i8"), "documents": Section("<u4"), "frequencies": Section("<i8")}
# The lowest bits of a posting: a level, and what each level is of a token's idf.
LEVEL_BITS = 4
SHARES = (np.arange(1, (1 << LEVEL_BITS) + 1) / (1 << LEVEL_BITS)).astype(np.float32)
# The one docid of all documents that are told apart by their words alone.
ALONE = "<words>"
META = {"num_documents": int, "limit": int, "counted": int, "mean_length": float}
CHOSEN_WITH = {"vocabulary": str, "title_weight": int}

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WordSets:
    """Sets of tokens, one a document.

    Attributes:
        offsets: int64 [vocab_size + 1]; the documents of token t are in `postings[offsets[t]:offsets[t + 1]]`.
        postings: uint32; a document's number times 16, and the level of the token in it: it counts `SHARES[level]` of
            its idf. Ascending for each token.
        num_documents: documents, those with no word included.
        limit: the most tokens of a set.
        statistics: of the documents that the sets were first chosen for; later ones are weighed by the same.
        vocabulary: tells it from others of its size; None: not known.
        title_weight: how often tokens of titles were counted among `tokens`; None: not known.
    """

    offsets: IntArray
    postings: IntArray
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
            scores: float32 [all tokens]; what each is worth to its document, which chooses in place of a BM25 weight.
                The highest counts where a token is repeated.

        Raises:
            InputError: a token is outside of the vocabulary, or there is not one finite score a token, or they are too many documents.
        """
        if scores is not None:
            _check_scores(tokens, scores)
        if self.num_documents + tokens.num_rows > MOST_DOCUMENTS:
            raise InputError(f"words are kept of at most {MOST_DOCUMENTS:,} documents, these are more.")
        parts = [self._best(tokens, part, scores) for part in chunks(tokens.num_rows)]
        had = np.diff(self.offsets)
        more = [np.bincount(found, minlength=self.vocab_size) for found, _ in parts]
        offsets = np.concatenate([[0], np.cumsum(had + sum(more))])
        postings = np.empty(int(offsets[-1]), np.uint32)
        for token in np.flatnonzero(had):
            own = self.postings[self.offsets[token] : self.offsets[token + 1]]
            postings[offsets[token] : offsets[token] + len(own)] = own
        # A token's further documents come behind those that it has, whose numbers are lower.
        free = offsets[:-1] + had
        for (found, own), counts in zip(parts, more, strict=True):
            firsts = np.cumsum(counts) - counts
            postings[(free - firsts)[found] + np.arange(len(found))] = own
            free += counts
        return replace(
            self, offsets=offsets, postings=postings, num_documents=self.num_documents + tokens.num_rows
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
        going = removed[self.postings >> LEVEL_BITS]
        # Every bound moves by as many as go before it.
        offsets = self.offsets - np.searchsorted(np.flatnonzero(going), self.offsets)
        return replace(self, offsets=offsets, postings=self.postings[~going])

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
        postings = numbers[fewer.postings >> LEVEL_BITS] << LEVEL_BITS | fewer.postings & len(SHARES) - 1
        return replace(fewer, postings=postings, num_documents=len(rows))

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

    @property
    def levels(self) -> IntArray:
        """Of each posting, uint32: the place in `SHARES`."""
        return self.postings & len(SHARES) - 1

    def sets(self) -> Ragged:
        """The tokens of each document, ascending: the sets the other way round, made anew at each call."""
        return self._turned(np.repeat(np.arange(self.vocab_size), np.diff(self.offsets)))

    def identifiers(self) -> Ragged:
        """A number for each token of each document and its level there, ascending: what tells documents apart."""
        tokens = np.repeat(np.arange(self.vocab_size), np.diff(self.offsets))
        return self._turned(tokens << LEVEL_BITS | self.levels.astype(np.int64))

    def _turned(self, values: IntArray) -> Ragged:
        """A value for each posting, by document; those of a document in the order of the postings."""
        documents = self.postings >> LEVEL_BITS
        lengths = np.bincount(documents, minlength=self.num_documents)
        order = np.argsort(documents, kind="stable")
        return Ragged(values[order], np.concatenate([[0], np.cumsum(lengths)]))

    def shares(self, tokens: IntArray, documents: IntArray) -> FloatArray:
        """What share of its idf each of the tokens (int [m]) counts in documents (int [n]): float32 [m, n].

        0 where a document does not hold it; none holds one outside of the vocabulary.
        """
        wanted = np.asarray(documents).astype(np.uint32)
        found = np.zeros((len(tokens), len(wanted)), np.float32)
        for row, token in enumerate(np.asarray(tokens).tolist()):
            if 0 <= token < self.vocab_size:
                listed = self.postings[self.offsets[token] : self.offsets[token + 1]]
                places = np.searchsorted(listed, wanted << LEVEL_BITS)
                inside = np.flatnonzero(places < len(listed))
                held = inside[listed[places[inside]] >> LEVEL_BITS == wanted[inside]]
                found[row, held] = SHARES[listed[places[held]] & len(SHARES) - 1]
        return found

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
            "postings": self.postings,
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
        stored.check(path, SECTIONS if stored.version == VERSION else UNWEIGHTED, META | known)
        statistics = WordStatistics(arrays["frequencies"], meta["counted"], meta["mean_length"])
        numbers, chosen_with = (
            (meta["num_documents"], meta["limit"]),
            (meta.get(name) for name in CHOSEN_WITH),
        )
        postings = arrays["postings"] if stored.version == VERSION else _loudest(arrays["documents"])
        words = cls(arrays["offsets"], postings, *numbers, statistics, *chosen_with)
        if wrong := words._wrong() or statistics.fault():
            raise ArtefactError(f"{path}: damaged: {wrong}. Choose the words again.")
        return words

    def _best(
        self, tokens: Ragged, part: slice, scores: FloatArray | None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32]]:
        """Tokens and postings of the chosen words of some rows, by token and then by row."""
        row, token, share = self.statistics.shares(tokens, part)
        if scores is None:
            weight = share * self.statistics.idf()[token]
        else:
            weight = _highest(tokens, part, self.vocab_size, scores)
        order = np.lexsort((token, -weight, row))
        ranked = row[order]
        kept = order[np.arange(len(row)) - np.searchsorted(ranked, ranked, side="left") < self.limit]
        kept = kept[np.lexsort((row[kept], token[kept]))]
        if len(self.postings) and (self.levels + 1 == len(SHARES)).all():
            # Sets of an earlier version: no document may count less than those that were there.
            share = np.ones_like(share)
        levels = np.clip(np.rint(share[kept] * len(SHARES)), 1, len(SHARES)).astype(np.uint32) - 1
        postings = (row[kept] + self.num_documents).astype(np.uint32) << LEVEL_BITS | levels
        return token[kept].astype(np.int32), postings

    def _wrong(self) -> str | None:
        """What makes the arrays no sets."""
        if not is_partition(self.offsets, len(self.postings)):
            return "its offsets do not lead through its documents"
        if self.limit < 1 or not 0 <= self.num_documents <= MOST_DOCUMENTS:
            return f"it says {self.limit} words for each of {self.num_documents} documents"
        if len(self.statistics.frequencies) != self.vocab_size:
            return "its statistics are not of its vocabulary"
        for part in chunks(len(self.postings)):
            first = max(part.start - 1, 0)
            some = self.postings[first : part.stop] >> LEVEL_BITS
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


def _highest(tokens: Ragged, rows: slice, vocab_size: int, scores: FloatArray) -> FloatArray:
    """The highest score of each distinct token of each row, by row and then by token."""
    keys, place = np.unique(token_rows(tokens, rows, vocab_size), return_inverse=True)
    highest = np.full(len(keys), -np.inf, np.float32)
    np.maximum.at(highest, place, scores[tokens.offsets[rows.start] : tokens.offsets[rows.stop]])
    return highest


def _loudest(documents: IntArray) -> IntArray:
    """Postings of documents in which every token counts the whole of its idf, as it did before there were levels."""
    return documents << LEVEL_BITS | len(SHARES) - 1


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
