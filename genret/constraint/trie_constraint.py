"""The trie of all docids as a constraint: its arrays as tensors on the model's device.

Knows token ids, states and document numbers; knows no text and no model. What the arrays and states mean is
in the docstring of `docid.trie.DocidTrie`. The cost of a call depends on the rows and their successors, not
on the number of docids (but for the steps of a binary search).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from docid.ragged import IntArray
from docid.trie import DEAD, DocidTrie
from genret.constraint.protocol import Documents, State, Successors
from genret.constraint.ragged_tensors import spans
from genret.constraint.subset import Subset, build_subset
from genret.constraint.subset_table import SubsetTable, keep_documents

__all__ = ["FilteredState", "TrieConstraint"]


@dataclass(frozen=True)
class FilteredState:
    """Rows of a search in which some queries see only a subset of the documents.

    Attributes:
        states: int64 [rows]; states of the trie.
        subsets: int64 [rows]; each row's subset in `table`, or -1 for all documents.
        table: the subsets of this search.
    """

    states: Tensor
    subsets: Tensor
    table: SubsetTable

    def __len__(self) -> int:
        return len(self.states)


class TrieConstraint:
    """Only docids of the trie come out (N. De Cao et al., "Autoregressive Entity Retrieval", ICLR 2021, section 3).

    A state is int64 [rows] (see `DocidTrie`), or a `FilteredState` where filters are in force. On CUDA, a step
    without filters waits for nothing when the caller passes `size` to `successors`.

    Args:
        trie: the docids.
        device: where the arrays live; the model's device. On the CPU they are shared, not copied.
        removed: bool, by document number, for all numbers of the trie at least: nothing leads to these any more.
    """

    def __init__(
        self,
        trie: DocidTrie,
        device: torch.device | str = "cpu",
        removed: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.trie = trie
        self.device = torch.device(device)
        self.eos = trie.eos
        self._offsets = self._tensor(trie.offsets)
        self._tokens = self._tensor(trie.tokens)
        self._node_edges = self._tensor(trie.node_edges)
        self._tail_starts = self._tensor(trie.tail_starts)
        self._tails = self._tensor(trie.tails)
        self._leaf_offsets = self._tensor(trie.leaf_offsets)
        self._leaf_documents = self._tensor(trie.leaf_documents)
        self._removed = removed
        self._only: Subset | None = None
        self._living: tuple[Tensor, Tensor] | None = None
        if removed is not None:
            self._living = self._tensor(trie.living_edges(removed)), self._tensor(~removed)

    @cached_property
    def largest_token(self) -> int:
        """The greatest token id of any docid, the end token included."""
        arrays = (self.trie.tokens, self.trie.tails)
        return max(self.eos, *(int(array.max(initial=0)) for array in arrays))

    @property
    def num_docids(self) -> int:
        """How many distinct docids there are."""
        return self.trie.num_leaves

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query, at the root or after its prefix.

        Args:
            queries: how many.
            prefixes: for each query the tokens that its docid begins with; a prefix that no docid has gives a
                row without successors.
            filters: for each query None, the numbers of the only documents it may see, or a `Subset`.

        Raises:
            InputError: a filter names a document that does not exist.
        """
        prefixes = prefixes or [()] * queries
        if filters is None and self._only is not None:
            filters = [self._only] * queries
        states = [self._walk(prefix) for prefix in prefixes]
        if filters is None or all(entry is None for entry in filters):
            return torch.tensor(states, dtype=torch.int64, device=self.device)
        # One list given for many queries is walked up the trie once.
        shared = {id(entry): entry for entry in filters if entry is not None}
        prepared = {
            key: entry if isinstance(entry, Subset) else self.subset(entry) for key, entry in shared.items()
        }
        rows = [None if entry is None else prepared[id(entry)] for entry in filters]
        for row, (prefix, subset) in enumerate(zip(prefixes, rows, strict=True)):
            # Filters drop edges, and a prefix has passed its edges already.
            if subset is not None and not subset.reaches(self.trie, prefix):
                states[row] = DEAD
        table, subsets = SubsetTable.of(rows, self.trie, self.device)
        return FilteredState(torch.tensor(states, dtype=torch.int64, device=self.device), subsets, table)

    def subset(self, documents: Sequence[int] | IntArray) -> Subset:
        """Prepare a filter once, to be used in many searches: only these document numbers.

        Raises:
            InputError: a document does not exist.
        """
        return build_subset(self.trie, np.asarray(documents, np.int64), self._removed)

    def within(self, documents: Sequence[int] | IntArray) -> TrieConstraint:
        """The same trie for searches that see only these document numbers, where they give no filters; shares all.

        Raises:
            InputError: a document does not exist.
        """
        # Shallow: the arrays of millions of docids are shared, only the subset is another's.
        found = copy(self)
        found._only = self.subset(documents)
        return found

    def legal_documents(self, documents: int) -> npt.NDArray[np.bool_] | None:
        """Which of `documents` numbers a search without filters may find: bool [documents]; None: all."""
        found = np.zeros(documents, bool)
        found[self.trie.leaf_documents if self._only is None else self._only.documents] = True
        if self._removed is not None:
            found &= ~self._removed[:documents]
        return None if bool(found.all()) else found

    def _walk(self, prefix: Sequence[int]) -> int:
        """The state after `prefix`, or DEAD where no document is left below."""
        # Removals hide edges, and a prefix has passed its edges already.
        if self._living is not None and len(prefix):
            below = torch.from_numpy(self.trie.documents_below(prefix)).to(self.device)
            if not bool(self._living[1][below].any()):
                return DEAD
        return self.trie.walk(prefix)

    def counts(self, state: State) -> Tensor:
        """How many successors each row has, before filters and removals: int64 [rows]; waits for nothing."""
        states = state.states if isinstance(state, FilteredState) else state
        return self._spans(states)[1]

    def successors(self, state: State, size: int | None = None) -> Successors:
        """The legal next tokens of each row; the payload is (edges, subset of each row, table).

        `size`, where the caller knows it, is the sum of `counts(state)`.
        """
        if isinstance(state, FilteredState):
            return self._filtered_successors(state)
        edges, offsets, _ = spans(*self._spans(state), size)
        if self._living is not None:
            kept = self._leads_on(edges).nonzero().squeeze(1)
            # `kept` ascends: as many of it as lie below an old bound are the new bound.
            edges, offsets = edges[kept], torch.searchsorted(kept, offsets)
        return Successors(offsets, self._edge_tokens(edges), payload=(edges, None))

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The states behind the entries `edges` (int64 [n], positions in `successors.tokens`)."""
        stored, filtered = successors.payload
        states = self._follow(stored[edges])
        if filtered is None:
            return states
        entry_subsets, table = filtered
        return FilteredState(states, entry_subsets[edges], table)

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """The documents of each finished state in passage order, at most `limit` a row; none for the others."""
        if isinstance(state, FilteredState):
            # Without the limit: what a subset leaves out must not use up places.
            every = self.documents(state.states)
            return state.table.filter_documents(every, state.subsets, limit)
        if self._living is None:
            return self._documents(state, limit)
        every = self._documents(state, None)
        return keep_documents(every, self._living[1][every.documents], limit)

    def _documents(self, state: Tensor, limit: int | None) -> Documents:
        """The documents of finished states, those removed among them."""
        leaves = state - self.trie.finished_base
        finished = leaves >= 0
        leaves = leaves.clamp(min=0)
        # As if each leaf had one document, at its own number.
        begins, counts = leaves, finished.to(torch.int64)
        # Left out where every docid is of one document: leaf and document then count alike.
        if len(self._leaf_offsets):
            begins = self._leaf_offsets[leaves].to(torch.int64)
            counts = torch.where(finished, self._leaf_offsets[leaves + 1] - begins, 0)
        if limit is not None:
            counts = counts.clamp(max=limit)
        positions, offsets, _ = spans(begins, counts)
        return Documents(offsets, self._leaf_documents[positions].to(torch.int64))

    def remaining(self, state: State) -> Tensor:
        """The tokens to come of rows in a tail: int64 [rows]; 0 for the others; waits for nothing."""
        states = state.states if isinstance(state, FilteredState) else state
        # States are numbered nodes, then places in tails, then leaves, so that a comparison tells them apart.
        in_tail = (states >= self.trie.tail_base) & (states < self.trie.finished_base)
        positions = torch.where(in_tail, states - self.trie.tail_base, 0)
        ends = self._tail_starts[self._leaf_of(positions) + 1].to(torch.int64)
        return torch.where(in_tail, ends - positions, 0)

    def complete(self, state: State, width: int) -> tuple[Tensor, State]:
        """The tokens to come of rows in a tail, int64 [rows, width] at the right end, and the finished states."""
        if isinstance(state, FilteredState):
            tokens, finished = self.complete(state.states, width)
            return tokens, replace(state, states=finished)
        leaves = self._leaf_of(state - self.trie.tail_base)
        ends = self._tail_starts[leaves + 1].to(torch.int64)
        positions = ends[:, None] + torch.arange(-width, 0, device=self.device)
        to_come = positions >= (state - self.trie.tail_base)[:, None]
        tokens = torch.where(to_come, _take(self._tails, positions.clamp(min=0)), -1)
        return tokens, leaves + self.trie.finished_base

    def places(self, state: State) -> Tensor:
        """A node's number for rows in a node, num_nodes + the leaf's for rows in a tail or finished: int64 [rows]."""
        states = state.states if isinstance(state, FilteredState) else state
        finished = states - self.trie.finished_base
        in_tail = (states >= self.trie.tail_base) & (finished < 0)
        leaves = self._leaf_of(torch.where(in_tail, states - self.trie.tail_base, 0))
        leaves = torch.where(in_tail, leaves, finished)
        return torch.where(states < self.trie.tail_base, states, self.trie.num_nodes + leaves)

    def _leaf_of(self, positions: Tensor) -> Tensor:
        """The leaf whose tail holds each position of `tails`."""
        return _position_in(self._tail_starts, positions, right=True) - 1

    def _leads_on(self, edges: Tensor) -> Tensor:
        """Whether a document that is not removed lies below each edge; in a tail nothing is left to tell."""
        in_tail = edges >= self.trie.num_edges
        if self._living is None or not self.trie.num_edges:
            return torch.ones_like(in_tail)
        return in_tail | self._living[0][torch.where(in_tail, 0, edges)]

    def _filtered_successors(self, state: FilteredState) -> Successors:
        """Drop the edges below which no document of the row's subset lies; in a tail nothing is left to drop."""
        edges, offsets, rows = spans(*self._spans(state.states))
        subsets = state.subsets[rows]
        in_tail = edges >= self.trie.num_edges
        wanted = in_tail | state.table.holds_edge(subsets, edges)
        kept = (wanted & self._leads_on(edges)).nonzero().squeeze(1)
        offsets = torch.searchsorted(kept, offsets)
        edges = edges[kept]
        return Successors(offsets, self._edge_tokens(edges), payload=(edges, (subsets[kept], state.table)))

    def _spans(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """First edge and number of edges of each state: both int64 [rows]."""
        in_node = (states >= 0) & (states < self.trie.tail_base)
        in_tail = (states >= self.trie.tail_base) & (states < self.trie.finished_base)
        node = torch.where(in_node, states, 0)
        begins = self._offsets[node].to(torch.int64)
        counts = torch.where(in_node, self._offsets[node + 1] - begins, in_tail.to(torch.int64))
        return torch.where(in_node, begins, states - self.trie.tail_base + self.trie.num_edges), counts

    def _edge_tokens(self, edges: Tensor) -> Tensor:
        in_tail = edges >= self.trie.num_edges
        of_node = _take(self._tokens, torch.where(in_tail, 0, edges))
        return torch.where(in_tail, _take(self._tails, (edges - self.trie.num_edges).clamp(min=0)), of_node)

    def _follow(self, edges: Tensor) -> Tensor:
        """The states that edges lead to (`DocidTrie`: the next state): int64 [n]."""
        positions = (edges - self.trie.num_edges).clamp(min=0)
        in_tail = edges >= self.trie.num_edges
        return torch.where(in_tail, self._follow_tail(positions), self._follow_node(edges))

    def _follow_tail(self, positions: Tensor) -> Tensor:
        ended = _take(self._tails, positions) == self.eos
        finished = self._leaf_of(positions) + self.trie.finished_base
        return torch.where(ended, finished, positions + self.trie.tail_base + 1)

    def _follow_node(self, edges: Tensor) -> Tensor:
        # Entries in tails come along, and what is computed of them is thrown away: no branch on the device.
        edges = edges.clamp(max=self.trie.num_edges - 1)
        nodes = _position_in(self._node_edges, edges)
        if not len(self._node_edges):
            to_node = torch.zeros_like(edges, dtype=torch.bool)
        else:
            to_node = self._node_edges[nodes.clamp(max=len(self._node_edges) - 1)] == edges
        # Edges that lead to no node lead to leaves, in order; before this one are `nodes` that lead to nodes.
        leaves = torch.where(to_node, 0, edges - nodes)
        ended = _take(self._tokens, edges) == self.eos
        to_leaf = torch.where(
            ended, leaves + self.trie.finished_base, self._tail_starts[leaves] + self.trie.tail_base
        )
        return torch.where(to_node, nodes + 1, to_leaf)

    def _tensor(self, array: IntArray) -> Tensor:
        """The array on the device; uint16 as the int16 of the same bits, which every device can index."""
        if array.dtype == np.uint16:
            array = array.view(np.int16)
        with warnings.catch_warnings():
            # The arrays are read-only and stay so: nothing here writes to these tensors.
            warnings.filterwarnings("ignore", message=".*not writable")
            return torch.from_numpy(array).to(self.device)


def _take(tokens: Tensor, positions: Tensor) -> Tensor:
    """`tokens[positions]` as int64; zeros where there are no tokens at all."""
    if not len(tokens):
        return torch.zeros_like(positions)
    taken = tokens[positions].to(torch.int64)
    # Back to the unsigned value whose bits these are.
    return taken & 0xFFFF if tokens.dtype == torch.int16 else taken


def _position_in(ascending: Tensor, needles: Tensor, *, right: bool = False) -> Tensor:
    return torch.searchsorted(ascending, needles.to(ascending.dtype), right=right)
