"""The trie of all docids: which token may come next, and which documents a finished docid stands for.

Nodes while docids branch, flat tails after: a state is one int64, a node or a place in a tail. One sorted array says
which edges lead to nodes, and nothing is stored for nodes of a single docid, so that a million docids of 8 tokens take
24 MB. Knows token ids and document numbers; knows no text, no model and no torch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray, Ragged, as_ragged, gather, position_in, row_of, smallest_dtype, spans
from docid.trie_arrays import TrieArrays, build_arrays, check_arrays
from fm_index.container import read_container, write_container

__all__ = ["DEAD", "KIND", "VERSION", "DocidTrie", "TrieSuccessors"]

KIND = "docid-trie"
VERSION = 1
DEAD = -1


class TrieSuccessors(NamedTuple):
    """The legal next tokens of a batch of states.

    Attributes:
        offsets: int64 [rows + 1]; row r has the entries `offsets[r]:offsets[r + 1]`; a row may have none.
        tokens: int64 [m]; ascending within a row.
        edges: int64 [m]; what `DocidTrie.advance` takes to follow that entry.
    """

    offsets: IntArray
    tokens: IntArray
    edges: IntArray


class DocidTrie:
    """A trie over docids, each a token sequence closed by `eos`, in flat arrays.

    A docid may be a prefix of another (its end is an explicit edge with the token `eos`), and several documents
    may have the same docid. Where more than one docid lies below, the trie is a CSR automaton of *nodes*;
    where only one is left, what follows is a flat *tail*. A *leaf* is a docid; leaves are numbered in the order
    of the edges that lead to them.

    Sizes: N = `num_nodes`, E = `num_edges`, L = `num_leaves`, T = `len(tails)`, D = `num_documents`. Documents are
    numbered below `document_end`, which is D unless some were left out.

    Arrays (read-only; index arrays are int32, or int64 where int32 is too small; tokens are uint16 where all
    fit, or int32):
        offsets [N + 1]: node v has the edges `offsets[v]:offsets[v + 1]`. Nodes are breadth-first; 0 is the root.
        tokens [E]: the token of each edge, ascending within a node; `eos` among them where a docid ends there.
        node_edges [N - 1]: the edge that enters node v is `node_edges[v - 1]`; ascending. Every other edge leads
            to a leaf: the edge e that comes after j entries of `node_edges` leads to leaf e - j.
        tails [T]: the tails of all leaves, one after the other; each is the tokens that follow the edge to the
            leaf, and closes with `eos`. A leaf that an `eos` edge leads to has no tail.
        tail_starts [L + 1]: leaf l has the tail `tails[tail_starts[l]:tail_starts[l + 1]]`.
        leaf_offsets [L + 1], or [0] where every leaf has exactly one document (then leaf l has document l of
            `leaf_documents`): leaf l has the documents `leaf_documents[leaf_offsets[l]:leaf_offsets[l + 1]]`.
        leaf_documents [D]: document numbers, ascending within a leaf.

    A *state* is one int64, in three ranges, or DEAD (-1):
        0 <= s < N: a node; its successors are its edges. `root` is 0.
        N <= s < N + T: a tail position p = s - `tail_base`; its one successor is `tails[p]`.
        N + T <= s < N + T + L: finished; no successors; the docid of leaf s - `finished_base` is complete.

    The next state. From a node by edge e: `edge_targets()[e]` (computed from the arrays above, not stored).
    From tail position p: p + 1 while `tails[p] != eos`, otherwise finished with the leaf that owns p, which is
    `searchsorted(tail_starts, p, side="right") - 1`.

    Bytes for distinct docids, with tokens below 65,536: 4 N + 2 E + 4 N + 4 L + 2 T + 4 D.
    """

    def __init__(self, arrays: TrieArrays, eos: int) -> None:
        """Take over arrays made by `build` or `load`; use those."""
        self.eos = eos
        self.offsets, self.tokens, self.node_edges = arrays.offsets, arrays.tokens, arrays.node_edges
        self.tail_starts, self.tails = arrays.tail_starts, arrays.tails
        self.leaf_offsets, self.leaf_documents = arrays.leaf_offsets, arrays.leaf_documents
        for array in arrays:
            array.flags.writeable = False
        self.root = 0
        self.num_nodes = len(self.offsets) - 1
        self.num_edges = len(self.tokens)
        self.num_leaves = len(self.tail_starts) - 1
        self.num_documents = len(self.leaf_documents)
        self.document_end = int(self.leaf_documents.max(initial=-1)) + 1
        self.tail_base = self.num_nodes
        self.finished_base = self.num_nodes + len(self.tails)

    @classmethod
    def build(
        cls,
        sequences: Ragged | Sequence[Any] | IntArray,
        eos: int,
        documents: IntArray | None = None,
    ) -> DocidTrie:
        """Build from one token sequence a document, without `eos`, in any order; equal ones share a leaf.

        Args:
            sequences: rows of token ids (lists, int arrays, a 2-D int array, or a `Ragged`).
            eos: the token that closes a docid.
            documents: the number of each row's document, int [rows], ascending; None: the rows' own.

        Raises:
            InputError: a sequence is empty, or holds `eos`, a negative or a non-integer token; the message
                names the row.
        """
        arrays = build_arrays(as_ragged(sequences), eos)
        if documents is not None:
            dtype = smallest_dtype(int(documents.max(initial=0)))
            arrays = arrays._replace(leaf_documents=documents[arrays.leaf_documents].astype(dtype))
        return cls(arrays, eos)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the arrays to one checksummed file."""
        write_container(
            path, kind=KIND, version=VERSION, meta={"eos": self.eos}, arrays=self.arrays._asdict()
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, verify: Literal["header", "full"] = "full") -> DocidTrie:
        """Open a saved trie by memory map; `verify="header"` leaves the payload's checksum out.

        Raises:
            ArtefactError: the file is missing, damaged, of another kind, or newer.
        """
        stored = read_container(path, kind=KIND, version=VERSION, verify=verify)
        arrays, eos = check_arrays(path, stored)
        return cls(arrays, eos)

    @property
    def arrays(self) -> TrieArrays:
        """All arrays, by name."""
        return TrieArrays(*(getattr(self, name) for name in TrieArrays._fields))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def edge_targets(self) -> IntArray:
        """The state that each edge of a node leads to: int64 [E]."""
        return self._follow(np.arange(self.num_edges))

    def successors(self, states: IntArray) -> TrieSuccessors:
        """The legal next tokens of each state (int64 [rows]); finished and DEAD states have none."""
        begins, counts = self._edges_of(np.asarray(states, np.int64))
        edges, offsets = spans(begins, counts)
        return TrieSuccessors(offsets, self._edge_tokens(edges), edges)

    def advance(self, edges: IntArray) -> IntArray:
        """The states that `edges` (int64 [n], entries of `TrieSuccessors.edges`, or -1) lead to, DEAD for -1: int64 [n]."""
        edges = np.asarray(edges, np.int64)
        states = np.full(len(edges), DEAD, np.int64)
        in_tail = edges >= self.num_edges
        in_node = (edges >= 0) & ~in_tail
        states[in_node] = self._follow(edges[in_node])
        positions = edges[in_tail] - self.num_edges
        leaves = position_in(self.tail_starts, positions, side="right") - 1
        ended = self.tails[positions] == self.eos
        states[in_tail] = np.where(ended, self.finished_base + leaves, self.tail_base + positions + 1)
        return states

    def step(self, states: IntArray, tokens: IntArray) -> IntArray:
        """The state behind each of `states` (int64 [n]) by its token (int64 [n]), DEAD where it has none: int64 [n].

        `successors` and `advance` in one for a caller that has chosen; lists nothing.
        """
        return self.advance(self.find(states, tokens))

    def find(self, states: IntArray, tokens: IntArray) -> IntArray:
        """The edge by which each of `states` (int64 [n]) goes on with its token (int64 [n]), -1 where none: int64 [n]."""
        begins, counts = self._edges_of(np.asarray(states, np.int64))
        tokens, low, high = np.asarray(tokens, np.int64), begins.copy(), begins + counts
        # A binary search in all rows at once: tokens ascend within a node.
        while len(rows := np.flatnonzero(low < high)):
            middle = (low[rows] + high[rows]) // 2
            below = self._edge_tokens(middle) < tokens[rows]
            low[rows[below]] = middle[below] + 1
            high[rows[~below]] = middle[~below]
        found = np.flatnonzero(low < begins + counts)
        found = found[self._edge_tokens(low[found]) == tokens[found]]
        edges = np.full(len(tokens), -1, np.int64)
        edges[found] = low[found]
        return edges

    def documents_of(self, states: IntArray) -> Ragged:
        """The documents of each finished state (int64 [rows]), ascending; none for the other states."""
        leaves = np.asarray(states, np.int64) - self.finished_base
        finished = leaves >= 0
        leaves = np.where(finished, leaves, 0)
        begins, counts = leaves, finished.astype(np.int64)
        if len(self.leaf_offsets):
            begins = self.leaf_offsets[leaves].astype(np.int64)
            counts = np.where(finished, self.leaf_offsets[leaves + 1] - begins, 0)
        return gather(self.leaf_documents, begins, counts)

    def leaf_sizes(self) -> IntArray:
        """How many documents have the docid of each leaf: int64 [L]."""
        sizes = np.diff(self.leaf_offsets) if len(self.leaf_offsets) else np.ones(self.num_leaves)
        return sizes.astype(np.int64)

    def leaf_sequences(self) -> Ragged:
        """The docid of each leaf, without eos: a row of tokens a leaf."""
        edges = np.setdiff1d(np.arange(self.num_edges), self.node_edges, assume_unique=True)
        columns, alive = [], np.arange(self.num_leaves)
        while len(alive):
            columns.append((alive, self.tokens[edges].astype(np.int32)))
            nodes = position_in(self.offsets, edges, side="right") - 1
            inner = nodes > 0
            # Node n + 1 is where edge `node_edges[n]` leads: the root has none.
            alive, edges = alive[inner], self.node_edges[nodes[inner] - 1]
        above = np.zeros(self.num_leaves, np.int64)
        for leaves, _ in columns:
            above[leaves] += 1
        tails = np.diff(self.tail_starts).astype(np.int64)
        bounds = np.concatenate([[0], np.cumsum(above + tails)])
        # Columns were found from the leaves up: the first is nearest to the tail, which comes last.
        behind = bounds[:-1] + above
        values = np.empty(int(bounds[-1]), np.int32)
        for height, (leaves, tokens) in enumerate(columns, start=1):
            values[behind[leaves] - height] = tokens
        values[spans(behind, tails)[0]] = self.tails
        inside = values != self.eos
        return Ragged(values[inside], np.concatenate([[0], np.cumsum(inside)])[bounds])

    def living_edges(self, removed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether a document that is not `removed` (bool [document numbers]) is below each edge of a node: [E]."""
        if self.num_leaves == 0:
            return np.zeros(0, bool)
        documents = self.documents_of(self.finished_base + np.arange(self.num_leaves))
        living = (~removed[documents.values]).astype(np.int64)
        counts: IntArray = self.sum_below(np.add.reduceat(living, documents.offsets[:-1]))
        return counts > 0

    def sum_below(self, leaf_values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """For each edge of a node the sum of `leaf_values` [L, ...] over all leaves below it: [E, ...]."""
        summed = np.zeros((self.num_edges, *leaf_values.shape[1:]), leaf_values.dtype)
        to_leaf = np.ones(self.num_edges, bool)
        to_leaf[self.node_edges] = False
        # Leaves are numbered in the order of the edges that lead to them.
        summed[to_leaf] = leaf_values
        # From the deepest level up, so that every node's edges are whole when they are summed up.
        for first, last in reversed(self._levels()):
            begins = self.offsets[first:last].astype(np.int64)
            inside = summed[begins[0] : self.offsets[last]]
            summed[self.node_edges[first - 1 : last - 1]] = np.add.reduceat(
                inside, begins - begins[0], axis=0
            )
        return summed

    def _levels(self) -> list[tuple[int, int]]:
        """The range of nodes of each level below the root."""
        levels, first, last = list[tuple[int, int]](), 0, 1
        while True:
            edges = self.offsets[[first, last]]
            first, last = (int(place) + 1 for place in position_in(self.node_edges, edges))
            if first >= last:
                return levels
            levels.append((first, last))

    def longest(self) -> int:
        """Tokens of the longest docid, its closing eos among them; 0 where there is none."""
        most = 0
        for depth, (first, last) in enumerate([(0, 1), *self._levels()], start=1):
            edges = self.offsets[[first, last]].astype(np.int64)
            begin, end = edges - position_in(self.node_edges, edges)
            most = max(most, depth + int(np.diff(self.tail_starts[begin : end + 1]).max(initial=-depth)))
        return most

    def walk(self, prefix: Sequence[int]) -> int:
        """The state after `prefix` (which may close with eos), or DEAD."""
        state = self.root
        for place, token in enumerate(prefix):
            if state >= self.tail_base:
                return self._walk_tail(state, np.asarray(prefix[place:]))
            begin, end = self.offsets[state : state + 2].tolist()
            edge = begin + int(np.searchsorted(self.tokens[begin:end], token))
            if edge == end or self.tokens[edge] != token:
                return DEAD
            state = int(self._follow(np.array([edge]))[0])
        return state

    def _walk_tail(self, state: int, rest: IntArray) -> int:
        """The state after the tokens `rest` (at least one), from a tail position or a finished state."""
        if state >= self.finished_base:
            return DEAD
        position = state - self.tail_base
        leaf = row_of(self.tail_starts, position)
        tail = self.tails[position : self.tail_starts[leaf + 1]]
        if len(rest) > len(tail) or (tail[: len(rest)] != rest).any():
            return DEAD
        return self.finished_base + leaf if len(rest) == len(tail) else state + len(rest)

    def allowed(self, prefix: Sequence[int]) -> list[int]:
        """The tokens that may follow `prefix`, ascending; empty where nothing may."""
        tokens: list[int] = self.successors(np.array([self.walk(prefix)])).tokens.tolist()
        return tokens

    def documents(self, prefix: Sequence[int]) -> list[int]:
        """The documents whose docid is exactly `prefix`, with or without its closing eos, ascending."""
        state = self.walk(prefix)
        if 0 <= state < self.finished_base:
            state = self.walk([*prefix, self.eos])
        found: list[int] = self.documents_of(np.array([state])).values.tolist()
        return found

    def documents_below(self, prefix: Sequence[int]) -> IntArray:
        """All documents whose docid begins with `prefix`, ascending: int64 [n]."""
        state = self.walk(prefix)
        leaves = np.concatenate([np.arange(*bounds) for bounds in self._leaves_below(state)])
        return np.sort(self.documents_of(leaves + self.finished_base).values).astype(np.int64)

    def _leaves_below(self, state: int) -> list[tuple[int, int]]:
        """Ranges of leaves: below a range of nodes each level is one range of nodes and one of leaves."""
        if state >= self.finished_base:
            return [(state - self.finished_base, state - self.finished_base + 1)]
        if state >= self.tail_base or state < 0:
            leaf = row_of(self.tail_starts, state - self.tail_base)
            return [(leaf, leaf + 1)] if state >= 0 else [(0, 0)]
        bounds, first, last = [], state, state + 1
        while first < last:
            edges = np.array([self.offsets[first], self.offsets[last]], np.int64)
            nodes = position_in(self.node_edges, edges)
            bounds.append((int(edges[0] - nodes[0]), int(edges[1] - nodes[1])))
            first, last = int(nodes[0]) + 1, int(nodes[1]) + 1
        return bounds

    def _follow(self, edges: IntArray) -> IntArray:
        """The states that edges of nodes lead to."""
        nodes = position_in(self.node_edges, edges)
        to_node = np.zeros(len(edges), bool)
        inside = nodes < len(self.node_edges)
        to_node[inside] = self.node_edges[nodes[inside]] == edges[inside]
        leaves = np.where(to_node, 0, edges - nodes)
        to_leaf = self.tail_base + self.tail_starts[leaves].astype(np.int64)
        to_leaf = np.where(self.tokens[edges] == self.eos, self.finished_base + leaves, to_leaf)
        return np.where(to_node, nodes + 1, to_leaf)

    def _edges_of(self, states: IntArray) -> tuple[IntArray, IntArray]:
        """The first edge of each state, a place in a tail counting as one, and how many it has: int64 [rows] each."""
        in_node = (states >= 0) & (states < self.tail_base)
        in_tail = (states >= self.tail_base) & (states < self.finished_base)
        node = np.where(in_node, states, 0)
        begins = np.where(in_node, self.offsets[node], states - self.tail_base + self.num_edges)
        return begins, np.where(in_node, self.offsets[node + 1] - begins, in_tail)

    def _edge_tokens(self, edges: IntArray) -> IntArray:
        in_tail = edges >= self.num_edges
        if not in_tail.any():
            # As where many tokens may follow: one gather in place of two by masks.
            return self.tokens[edges].astype(np.int64)
        tokens = np.empty(len(edges), np.int64)
        tokens[~in_tail] = self.tokens[edges[~in_tail]]
        tokens[in_tail] = self.tails[edges[in_tail] - self.num_edges]
        return tokens
