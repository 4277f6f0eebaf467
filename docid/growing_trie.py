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
    """A base trie, the documents added since (a second trie), and those removed.

    It answers as the trie of all living documents would. A state is a pair of states, int64 [rows, 2], one in the
    base and one in the delta, each DEAD (-1) where the prefix does not occur there; likewise an edge. Adding costs
    the size of the delta, removing the number of edges; `compacted` makes one trie of it all.

    Attributes:
        parts: the base and the delta, over the same document numbers; neither knows what is removed.
        num_documents: documents ever added; new ones are numbered from here.
        removed: bool [num_documents].
    """

    def __init__(self, base: DocidTrie, added: Ragged, removed: npt.NDArray[np.bool_]) -> None:
        """Use `start`, `add` and `remove`."""
        self.eos = base.eos
        self.num_documents = len(removed)
        self.removed = removed
        self._added = added
        self._first = len(removed) - added.num_rows
        self.parts = (base, DocidTrie.build(added, base.eos, np.arange(self._first, self.num_documents)))
        self._living = tuple(part.living_edges(removed) for part in self.parts)

    @classmethod
    def start(cls, base: DocidTrie) -> GrowingTrie:
        """Nothing added yet; a number below the base's `document_end` that no document has counts as removed."""
        removed = np.ones(base.document_end, bool)
        removed[base.leaf_documents] = False
        return cls(base, as_ragged([]), removed)

    def add(self, sequences: Ragged | Sequence[Any] | IntArray) -> GrowingTrie:
        """With more documents, numbered from `num_documents`.

        Raises:
            InputError: as `DocidTrie.build`; rows count from the first document ever added.
        """
        more = as_ragged(sequences)
        values = np.concatenate([self._added.values, more.values])
        offsets = np.concatenate([self._added.offsets, more.offsets[1:] + self._added.offsets[-1]])
        removed = np.append(self.removed, np.zeros(more.num_rows, bool))
        return GrowingTrie(self.parts[0], Ragged(values, offsets), removed)

    def remove(self, documents: Sequence[int] | IntArray) -> GrowingTrie:
        """Without these documents; removing twice changes nothing.

        Raises:
            InputError: there is no such document.
        """
        rows = np.asarray(documents, np.int64).reshape(-1)
        outside = rows[(rows < 0) | (rows >= self.num_documents)]
        if len(outside):
            raise InputError(f"document {outside[0]}: no such document; there are {self.num_documents}.")
        # Older ones may still be searched, by threads or by whoever kept one.
        removed = self.removed.copy()
        removed[rows] = True
        return GrowingTrie(self.parts[0], self._added, removed)

    def compacted(self) -> GrowingTrie:
        """The same with all living documents, under the numbers that they have, in one trie: `parts[0]`."""
        base = self.parts[0]
        leaves = base.documents_of(base.finished_base + np.arange(base.num_leaves))
        before = take_rows(base.leaf_sequences(), np.repeat(np.arange(base.num_leaves), leaves.lengths))
        values = np.concatenate([before.values, self._added.values])
        offsets = np.concatenate([before.offsets, self._added.offsets[1:] + before.offsets[-1]])
        numbers = np.concatenate([leaves.values, np.arange(self._first, self.num_documents)])
        # Documents of one leaf stand in row order: rows must be in document order.
        living = np.argsort(numbers, kind="stable")
        living = living[~self.removed[numbers[living]]]
        one = DocidTrie.build(take_rows(Ragged(values, offsets), living), self.eos, numbers[living])
        return GrowingTrie(one, as_ragged([]), self.removed)

    def successors(self, states: IntArray) -> TrieSuccessors:
        """The legal next tokens of each state (int64 [rows, 2]), as `DocidTrie.successors`; edges are [m, 2]."""
        rows, tokens, edges = [], [], []
        for side, (part, living) in enumerate(zip(self.parts, self._living, strict=True)):
            found = part.successors(states[:, side])
            # One place more: what lies in a tail has no edge to ask, and is alive if it was reached.
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
        for side, part in enumerate(self.parts):
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
        for side, part in enumerate(self.parts):
            documents = part.documents_of(state[:, side]).values
            found += documents[~self.removed[documents]].tolist()
        return found


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
