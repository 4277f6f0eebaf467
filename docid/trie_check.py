"""Whether stored arrays form a trie; knows their structure, so that no look-up leaves them, whatever a file held."""

from __future__ import annotations

import os

import numpy as np

from docid.ragged import IntArray, is_partition
from docid.trie_build import TrieArrays
from fm_index.container import ArtefactError, Container, Section

__all__ = ["check_arrays"]

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
