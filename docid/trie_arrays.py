"""The arrays of the trie of all docids: made from docids, and checked wherever they come from a file.

What they mean is in the docstring of `docid.trie.DocidTrie`. Knows their structure, so that no look-up leaves them,
whatever a file held.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from docid.errors import InputError
from docid.ragged import (
    IntArray,
    Ragged,
    chunks,
    ended_rows,
    gather,
    is_partition,
    row_of,
    smallest_dtype,
    sorted_rows,
    take_rows,
)
from fm_index.container import ArtefactError, Container, Section

__all__ = ["TrieArrays", "build_arrays", "check_arrays"]

MAX_TOKEN = np.iinfo(np.int32).max - 1


class TrieArrays(NamedTuple):
    """The arrays of a `DocidTrie`; their meaning is in its docstring."""

    offsets: IntArray
    tokens: IntArray
    node_edges: IntArray
    tail_starts: IntArray
    tails: IntArray
    leaf_offsets: IntArray
    leaf_documents: IntArray


class _Leaves(NamedTuple):
    """What the descent finds: edges in breadth-first order, and the leaf behind each that leads to no node."""

    edges_per_node: IntArray
    tokens: IntArray
    leads_to_node: IntArray
    docids: IntArray
    depths: IntArray


def build_arrays(sequences: Ragged, eos: int) -> TrieArrays:
    """Sort, merge equal sequences, and lay the trie out; documents are the rows of `sequences`.

    Raises:
        InputError: a sequence is empty, holds `eos` or a negative token; the message names the row.
    """
    check_sequences(sequences, eos)
    ended = ended_rows(sequences, eos)
    order, first = sorted_rows(ended)
    docid_rows = order[first]
    leaves = _descend(ended, docid_rows)
    tail_starts, tails = _tails(ended, docid_rows[leaves.docids], leaves.depths)
    leaf_offsets, leaf_documents = _documents(order, first, leaves.docids)
    edges = np.zeros(len(leaves.edges_per_node) + 1, smallest_dtype(len(leaves.tokens)))
    np.cumsum(leaves.edges_per_node, out=edges[1:])
    node_edges = np.flatnonzero(leaves.leads_to_node).astype(edges.dtype)
    return TrieArrays(edges, leaves.tokens, node_edges, tail_starts, tails, leaf_offsets, leaf_documents)


def check_sequences(sequences: Ragged, eos: int) -> None:
    """Refuse what cannot be a docid: an empty row, a negative or huge token, `eos` before the end."""
    if not 0 <= eos <= MAX_TOKEN:
        raise InputError(f"eos is {eos}; expected a token id from 0 to {MAX_TOKEN}.")
    empty = np.flatnonzero(sequences.lengths == 0)
    if len(empty):
        raise InputError(f"row {empty[0]}: the docid is empty; every document needs at least one token.")
    values = sequences.values
    if len(values) and (int(values.min()) < 0 or int(values.max()) > MAX_TOKEN):
        _refuse(sequences, (values < 0) | (values > MAX_TOKEN), f"expected token ids from 0 to {MAX_TOKEN}")
    _refuse(
        sequences, values == eos, "this is the end token (eos), which closes a docid and cannot be inside one"
    )


def _refuse(sequences: Ragged, bad: IntArray, reason: str) -> None:
    position = int(bad.argmax()) if len(bad) else 0
    if len(bad) and bad[position]:
        row = row_of(sequences.offsets, position)
        place = position - int(sequences.offsets[row])
        raise InputError(f"row {row}, position {place}: token {sequences.values[position]}; {reason}.")


def _descend(ended: Ragged, docid_rows: IntArray) -> _Leaves:
    """Level by level: group the docids below each node by their next token; a group of one is a leaf."""
    begins = ended.offsets[docid_rows]
    docids = np.arange(len(docid_rows), dtype=docid_rows.dtype)
    node_begins = docids == 0
    per_node, tokens, leads, leaves, depths = [], [], [], [], []
    depth = 0
    while len(docids):
        token = ended.values[begins[docids] + depth]
        edge_begins = node_begins.copy()
        edge_begins[1:] |= token[1:] != token[:-1]
        edges = np.flatnonzero(edge_begins).astype(docids.dtype)
        size = np.diff(edges, append=docids.dtype.type(len(docids)))
        per_node.append(np.diff(np.append(np.flatnonzero(node_begins[edges]), len(edges))))
        tokens.append(token[edges])
        leads.append(size > 1)
        leaves.append(docids[edges[size == 1]])
        depth += 1
        depths.append(np.full(len(leaves[-1]), depth, np.int32))
        below = np.repeat(size > 1, size)
        # Docids that are alone below an edge are done: the rest of each is a tail.
        docids, node_begins = docids[below], edge_begins[below]
    if not tokens:
        none = np.empty(0, np.int64)
        return _Leaves(np.zeros(1, np.int64), ended.values[:0], none.astype(bool), none, none)
    parts = (np.concatenate(part) for part in (per_node, tokens, leads, leaves, depths))
    return _Leaves(*parts)


def _tails(ended: Ragged, rows: IntArray, depths: IntArray) -> tuple[IntArray, IntArray]:
    """What follows each leaf's edge up to and with eos, flat; in chunks, to keep the peak of memory low."""
    lengths = ended.offsets[rows + 1] - ended.offsets[rows] - depths
    total = int(lengths.sum())
    starts = np.zeros(len(rows) + 1, smallest_dtype(total))
    np.cumsum(lengths, out=starts[1:])
    tails = np.empty(total, ended.values.dtype)
    for chunk in chunks(len(rows)):
        part = gather(ended.values, ended.offsets[rows[chunk]] + depths[chunk], lengths[chunk]).values
        tails[starts[chunk.start] : starts[chunk.start] + len(part)] = part
    return starts, tails


def _documents(order: IntArray, first: IntArray, docids: IntArray) -> tuple[IntArray, IntArray]:
    """The documents of each leaf; the offsets are left empty where every leaf has exactly one."""
    dtype = smallest_dtype(len(order))
    if len(first) == len(order):
        return np.empty(0, dtype), order[docids].astype(dtype)
    leaves = take_rows(Ragged(order, np.append(first, len(order))), docids)
    return leaves.offsets.astype(dtype), leaves.values.astype(dtype)


TOKENS, INDEX = Section("<u2 <i4"), Section("<i4 <i8")
SECTIONS = {name: TOKENS if name in ("tokens", "tails") else INDEX for name in TrieArrays._fields}


def check_arrays(path: str | os.PathLike[str], stored: Container) -> tuple[TrieArrays, int]:
    """The arrays and the end token of a stored trie.

    Raises:
        ArtefactError: an array is missing, has the wrong type or shape, or points outside another.
    """
    stored.check(path, SECTIONS, {"eos": int})
    arrays, eos = stored.arrays, stored.meta["eos"]
    if not 0 <= eos <= np.iinfo(np.int32).max:
        raise ArtefactError(f"{path}: damaged: the end token is {eos}, expected a token id.")
    trie = TrieArrays(*(arrays[name] for name in TrieArrays._fields))
    fault = _fault(trie, eos)
    if fault:
        raise ArtefactError(f"{path}: damaged: {fault}. Build the trie again.")
    return trie, eos


def _fault(trie: TrieArrays, eos: int) -> str | None:
    leaves = len(trie.tail_starts) - 1
    if len(trie.offsets) < 2:
        return "it has no root"
    if not is_partition(trie.offsets, len(trie.tokens)):
        return "the nodes' offsets do not divide the edges"
    if not is_partition(trie.tail_starts, len(trie.tails)):
        return "the leaves' offsets do not divide the tails"
    if len(trie.node_edges) != len(trie.offsets) - 2 or len(trie.node_edges) + leaves != len(trie.tokens):
        return "the numbers of nodes, leaves and edges do not agree"
    if len(trie.offsets) > 2 and bool((trie.offsets[1:] == trie.offsets[:-1]).any()):
        return "a node has no edge"
    if not _lead_down(trie.node_edges, trie.offsets):
        return "an edge to a node is out of order"
    if not _ascending_within(trie.tokens, trie.offsets) or (len(trie.tails) and int(trie.tails.min()) < 0):
        return "the tokens of a node do not ascend"
    if not _closed(trie, eos):
        return "a tail is not closed by the end token"
    return _fault_in_documents(trie, leaves)


def _fault_in_documents(trie: TrieArrays, leaves: int) -> str | None:
    documents, offsets = trie.leaf_documents, trie.leaf_offsets
    if len(offsets) == 0 and len(documents) != leaves:
        return "the numbers of leaves and documents do not agree"
    if len(offsets) and (len(offsets) != leaves + 1 or not is_partition(offsets, len(documents))):
        return "the leaves' offsets do not divide the documents"
    if len(offsets) and bool((offsets[1:] == offsets[:-1]).any()):
        return "a leaf has no document"
    if len(np.unique(documents)) != len(documents) or (len(documents) and int(documents.min()) < 0):
        return "a document occurs twice, or is none"
    if len(offsets) and not _ascending_within(documents, offsets):
        return "the documents of a leaf do not ascend"
    return None


def _ascending_within(values: IntArray, offsets: IntArray) -> bool:
    """Whether no value is negative, and each is above the one before it in its own row."""
    if len(values) == 0:
        return True
    ascending = np.ones(len(values), bool)
    ascending[1:] = values[1:] > values[:-1]
    ascending[offsets[:-1][offsets[:-1] < len(values)]] = True
    return bool(ascending.all()) and int(values.min()) >= 0


def _lead_down(node_edges: IntArray, offsets: IntArray) -> bool:
    """Edges to nodes ascend, exist, and leave a node before the one they enter: every walk ends."""
    if len(node_edges) == 0:
        return True
    ascending = bool((node_edges[1:] > node_edges[:-1]).all())
    return ascending and node_edges[0] >= 0 and bool((node_edges < offsets[1:-1]).all())


def _closed(trie: TrieArrays, eos: int) -> bool:
    """Each leaf behind an `eos` edge has no tail, each other leaf has one that closes with `eos`."""
    to_leaf = np.ones(len(trie.tokens), bool)
    to_leaf[trie.node_edges] = False
    by_end = trie.tokens[to_leaf] == eos
    lengths = np.diff(trie.tail_starts)
    if bool(((lengths == 0) != by_end).any()) or bool((trie.tokens[trie.node_edges] == eos).any()):
        return False
    last = trie.tail_starts[1:][~by_end] - 1
    return bool((trie.tails[last] == eos).all()) and int((trie.tails == eos).sum()) == len(last)
