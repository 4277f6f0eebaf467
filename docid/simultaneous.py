"""All documents at once: what a query's words and code tables give to each, and the best of them.

The simultaneous step of Zeng et al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.1: a
document's score is a sum of values that do not depend on one another, so that one pass over all documents ranks
them. Float32 sums are made in a fixed order: the levels, then the words of the query as they come; blocks and threads
change nothing, to the last bit. Knows integers and floats; knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from docid import _core
from docid.errors import InputError
from docid.ragged import IntArray, chunks
from docid.table import DocidTable
from docid.words import SHARES, WordSets

__all__ = [
    "LevelCodes",
    "SimultaneousScorer",
    "WeightedTokens",
    "best_documents",
    "level_codes",
]

FloatArray = npt.NDArray[np.float32]
# A code is two bytes at most, and the tokens of a level are at most as far apart as new tokens can be many.
MOST_CODES = 1 << 16
FARTHEST = 1 << 20


class WeightedTokens(NamedTuple):
    """What each query's words are worth: those of query q are entries `offsets[q]` to `offsets[q + 1] - 1`.

    Attributes:
        offsets: int64 [queries + 1].
        tokens: int64 [m].
        weights: float32 [m].
    """

    offsets: IntArray
    tokens: IntArray
    weights: FloatArray

    def part(self, begin: int, end: int) -> WeightedTokens:
        """The words of the queries from `begin` to `end`."""
        first, last = int(self.offsets[begin]), int(self.offsets[end])
        offsets = self.offsets[begin : end + 1] - first
        return WeightedTokens(offsets, self.tokens[first:last], self.weights[first:last])

    def times(self, factors: FloatArray) -> WeightedTokens:
        """Each query's words, worth so many times as much: float32 [queries]."""
        each = np.repeat(factors.astype(np.float32), np.diff(self.offsets))
        return self._replace(weights=self.weights * each)


class LevelCodes(NamedTuple):
    """The docids of a table as small numbers, level by level.

    Attributes:
        codes: uint8, or uint16 where a level has more than 256 tokens, [levels, documents]; removed documents
            included. Code c of a level is the level's token that comes c-th in ascending order.
        tokens: int64 [levels, width]; the table's token of each code of a level, -1 where the level has fewer.
    """

    codes: IntArray
    tokens: IntArray


class SimultaneousScorer:
    """Scores of all documents for a batch of queries.

    Args:
        codes: the codes of each level of each document, uint8 or uint16 [levels, documents]; None for words alone.
        width: codes of a level: each is below it.
        words: the words of the same documents; None for codes alone.
        threads: that share the documents.

    Raises:
        InputError: a code is not below `width`, or codes and words are of different documents.
    """

    def __init__(
        self, codes: IntArray | None, width: int, words: WordSets | None = None, *, threads: int = 1
    ) -> None:
        if codes is None and words is None:
            raise InputError("documents are scored by codes, by words, or by both; found neither.")
        if codes is not None:
            _check_codes(codes, width)
        if codes is not None and words is not None and codes.shape[1] != words.num_documents:
            raise InputError(
                f"words: of {words.num_documents} documents, the codes are of {codes.shape[1]}; build both anew."
            )
        self.codes, self.width, self.words, self.threads = codes, width, words, threads

    @property
    def num_documents(self) -> int:
        """Documents that are scored."""
        if self.codes is not None:
            return int(self.codes.shape[1])
        assert self.words is not None
        return self.words.num_documents

    def code_scores(self, tables: FloatArray) -> FloatArray:
        """The sum over levels of what each document's code is worth, float32 [queries, documents].

        Args:
            tables: float32 [queries, levels, width or more].
        """
        sums = np.empty((len(tables), self.num_documents), np.float32)
        if self.codes is None:
            sums.fill(0)
        else:
            _core.sum_codes(
                self.codes, self.width, np.ascontiguousarray(tables, np.float32), sums, self.threads
            )
        return sums

    def add_word_scores(self, query: WeightedTokens, scores: FloatArray) -> None:
        """Add to `scores`, float32 [queries, documents], each document's shares of the query's tokens' weights."""
        if self.words is not None:
            held = self.words
            _core.score_words(held.offsets, held.postings, SHARES, *query, scores, self.threads)

    def scores(self, tables: FloatArray, query: WeightedTokens) -> FloatArray:
        """Both parts, float32 [queries, documents]."""
        sums = self.code_scores(tables)
        self.add_word_scores(query, sums)
        return sums


def level_codes(table: DocidTable) -> LevelCodes | None:
    """What a `SimultaneousScorer` reads of docids that are codes: it is made a block of documents at a time.

    None where docids have no codes of levels, so that their trie must score them: they are not all of one length
    (texts; an ordinal or an ending that only some have), or the tokens of a level are more than 65,536 or further than
    2^20 apart (a token for each document).

    Raises:
        InputError: the table is not bound.
    """
    table.check_bound()
    lengths = table.sequences.lengths
    levels = int(lengths[0]) if len(lengths) else 0
    if (lengths != levels).any():
        return None
    rows = table.sequences.values.reshape(table.num_documents, levels)
    lowest, used = _used(rows)
    tokens = [low + np.flatnonzero(own) for low, own in zip(lowest, used, strict=True)]
    width = max(map(len, tokens), default=0)
    if len(tokens) < levels or width > MOST_CODES:
        return None
    codes = np.empty((levels, len(rows)), np.uint8 if width <= 1 << 8 else np.uint16)
    numbers = [(np.cumsum(own) - 1).astype(codes.dtype) for own in used]
    for part, columns in _blocks(rows):
        for level, own in enumerate(numbers):
            codes[level, part] = own[columns[level] - lowest[level]]
    padded = [np.pad(own, (0, width - len(own)), constant_values=-1) for own in tokens]
    return LevelCodes(codes, np.array(padded, np.int64).reshape(levels, width))


def best_documents(
    scores: FloatArray, k: int, legal: npt.NDArray[np.bool_] | None = None
) -> tuple[IntArray, FloatArray]:
    """The `k` documents of the highest scores (float32 [documents]), best first, equal ones in document order.

    Fewer where fewer are legal; -inf and NaN are never among them.

    Args:
        legal: bool [documents]; None: all.
    """
    return _core.best(scores, k, None if legal is None else np.ascontiguousarray(legal).view(np.uint8))


def _check_codes(codes: IntArray, width: int) -> None:
    if codes.ndim != 2 or codes.dtype not in (np.uint8, np.uint16) or not codes.flags.c_contiguous:
        raise InputError(
            f"codes: expected a contiguous array of uint8 or uint16, levels by documents; found {codes.dtype} of shape "
            f"{codes.shape}."
        )
    if codes.size and int(codes.max()) >= width:
        level, document = np.argwhere(codes >= width)[0]
        raise InputError(
            f"codes: document {document} has code {codes[level, document]} at level {level}, expected below {width}."
        )


def _used(rows: IntArray) -> tuple[list[int], list[npt.NDArray[np.bool_]]]:
    """For each column its lowest value, and whether it has each value from there on; nothing where some are too far."""
    if not len(rows):
        return [], []
    lowest, highest = rows.min(axis=0).astype(np.int64), rows.max(axis=0).astype(np.int64)
    if (highest - lowest >= FARTHEST).any():
        return [], []
    used = [np.zeros(apart + 1, bool) for apart in (highest - lowest).tolist()]
    for _, columns in _blocks(rows):
        for level, own in enumerate(used):
            own[columns[level] - lowest[level]] = True
    return lowest.tolist(), used


def _blocks(rows: IntArray) -> Iterator[tuple[slice, IntArray]]:
    """Some rows at a time, turned: int64 [columns, rows of the block]."""
    for part in chunks(len(rows)):
        yield part, np.ascontiguousarray(rows[part].T, np.int64)
