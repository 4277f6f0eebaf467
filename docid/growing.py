"""A trie that documents come to and go from: a base, a delta of later documents, and tombstones.

Knows token ids and document numbers. Every change gives a new object; docids and document numbers never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, as_ragged, take_rows
from docid.trie import DEAD, DocidTrie, TrieSuccessors

__all__ = ["GrowingTrie"]


class GrowingTrie:
    """A base trie, the documents added since (a second trie), and those deleted.

    It answers as the trie of all living documents would. A state is a pair of states, int64 [rows, 2], one in the
    base and one in the delta, each DEAD (-1) where the prefix does not occur there; likewise an edge. Adding costs
    the size of the delta, deleting the number of edges; `compacted` makes one trie of it all, for the decoder.

    Attributes:
        num_documents: documents ever added; new ones are numbered from here.
        deleted: bool [num_documents].
    """

    def __init__(self, base: DocidTrie, added: Ragged, deleted: npt.NDArray[np.bool_]) -> None:
        """Use `start`, `add` and `delete`."""
        self.eos = base.eos
        self.num_documents = len(deleted)
        self.deleted = deleted
        self._added = added
        self._first = len(deleted) - added.num_rows
        self._parts = (base, DocidTrie.build(added, base.eos))
        self._living = tuple(
            _living_edges(part, ~deleted[numbers])
            for part, numbers in zip(self._parts, self._numbers(), strict=True)
        )

    @classmethod
    def start(cls, base: DocidTrie) -> GrowingTrie:
        """Nothing added, nothing deleted; the base's documents must be numbered without gaps, as `build` does."""
        return cls(base, as_ragged([]), np.zeros(base.num_documents, bool))

    def add(self, sequences: Ragged | Sequence[Any] | IntArray) -> GrowingTrie:
        """With more documents, numbered from `num_documents`.

        Raises:
            InputError: as `DocidTrie.build`; rows count from the first document ever added.
        """
        more = as_ragged(sequences)
        values = np.concatenate([self._added.values, more.values])
        offsets = np.concatenate([self._added.offsets, more.offsets[1:] + self._added.offsets[-1]])
        deleted = np.append(self.deleted, np.zeros(more.num_rows, bool))
        return GrowingTrie(self._parts[0], Ragged(values, offsets), deleted)

    def delete(self, documents: Sequence[int] | IntArray) -> GrowingTrie:
        """Without these documents; deleting twice changes nothing.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64).reshape(-1)
        outside = rows[(rows < 0) | (rows >= self.num_documents)]
        if len(outside):
            raise InputError(f"document {outside[0]}: no such document; there are {self.num_documents}.")
        deleted = self.deleted.copy()
        deleted[rows] = True
        return GrowingTrie(self._parts[0], self._added, deleted)

    def compacted(self) -> DocidTrie:
        """One trie of all living documents, under the numbers that they have."""
        base = self._parts[0]
        leaves = base.documents_of(base.finished_base + np.arange(base.num_leaves))
        before = take_rows(base.leaf_sequences(), np.repeat(np.arange(base.num_leaves), leaves.lengths))
        values = np.concatenate([before.values, self._added.values])
        offsets = np.concatenate([before.offsets, self._added.offsets[1:] + before.offsets[-1]])
        numbers = np.concatenate([leaves.values, np.arange(self._first, self.num_documents)])
        # Documents of one leaf stand in row order: rows must be in document order.
        living = np.argsort(numbers, kind="stable")
        living = living[~self.deleted[numbers[living]]]
        trie = DocidTrie.build(take_rows(Ragged(values, offsets), living), self.eos)
        renumbered = numbers[living][trie.leaf_documents].astype(trie.leaf_documents.dtype)
        return DocidTrie(trie.arrays._replace(leaf_documents=renumbered), self.eos)

    def successors(self, states: IntArray) -> TrieSuccessors:
        """The legal next tokens of each state (int64 [rows, 2]), as `DocidTrie.successors`; edges are [m, 2]."""
        rows, tokens, edges = [], [], []
        for side, (part, living) in enumerate(zip(self._parts, self._living, strict=True)):
            found = part.successors(states[:, side])
            alive = np.append(living, True)[np.minimum(found.edges, part.num_edges)]
            rows.append(np.repeat(np.arange(len(states)), np.diff(found.offsets))[alive])
            tokens.append(found.tokens[alive])
            pairs = np.full((len(tokens[-1]), 2), DEAD, np.int64)
            pairs[:, side] = found.edges[alive]
            edges.append(pairs)
        return _merged(len(states), np.concatenate(rows), np.concatenate(tokens), np.concatenate(edges))

    def advance(self, edges: IntArray) -> IntArray:
        """The states that `edges` (int64 [n, 2]) lead to: int64 [n, 2]."""
        states = np.full(edges.shape, DEAD, np.int64)
        for side, part in enumerate(self._parts):
            there = edges[:, side] != DEAD
            states[there, side] = part.advance(edges[there, side])
        return states

    @property
    def root(self) -> IntArray:
        """The state before the first token: int64 [1, 2]."""
        return np.zeros((1, 2), np.int64)

    def walk(self, prefix: Sequence[int]) -> IntArray:
        """The state after `prefix` (which may close with eos): int64 [1, 2]."""
        state = self.root
        for token in prefix:
            found = self.successors(state)
            state = self.advance(found.edges[found.tokens == token])
            if not len(state):
                return np.full((1, 2), DEAD)
        return state

    def allowed(self, prefix: Sequence[int]) -> list[int]:
        """The tokens that may follow `prefix`, ascending."""
        tokens: list[int] = self.successors(self.walk(prefix)).tokens.tolist()
        return tokens

    def documents(self, prefix: Sequence[int]) -> list[int]:
        """The living documents whose docid is exactly `prefix`, with or without its closing eos, ascending."""
        ended = prefix if len(prefix) and prefix[-1] == self.eos else [*prefix, self.eos]
        state = self.walk(ended)
        found = []
        for side, (part, numbers) in enumerate(zip(self._parts, self._numbers(), strict=True)):
            documents = numbers[part.documents_of(state[:, side]).values]
            found += documents[~self.deleted[documents]].tolist()
        return found

    def _numbers(self) -> tuple[IntArray, IntArray]:
        """The document number of each document of the base and of the delta."""
        return np.arange(self._first), np.arange(self._first, self.num_documents)


def _living_edges(trie: DocidTrie, living: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether a living document is below each edge of the trie's nodes."""
    documents = trie.documents_of(trie.finished_base + np.arange(trie.num_leaves))
    if trie.num_leaves == 0:
        return np.zeros(0, bool)
    counts = np.add.reduceat(living[documents.values].astype(np.int64), documents.offsets[:-1])
    return trie.sum_below(counts) > 0


def _merged(num_rows: int, rows: IntArray, tokens: IntArray, edges: IntArray) -> TrieSuccessors:
    """One entry for each row and token; where both parts have it, their edges side by side."""
    order = np.lexsort((tokens, rows))
    rows, tokens, edges = rows[order], tokens[order], edges[order]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]) | (tokens[1:] != tokens[:-1])
    begins = np.flatnonzero(first)
    pairs = np.maximum.reduceat(edges, begins, axis=0) if len(begins) else edges
    counts = np.bincount(rows[begins], minlength=num_rows)
    return TrieSuccessors(np.concatenate([[0], np.cumsum(counts)]), tokens[begins], pairs)
