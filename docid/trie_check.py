"""Whether stored arrays form a trie; knows their structure, so that no look-up leaves them, whatever a file held."""

from __future__ import annotations

import os

import numpy as np

from docid.ragged import IntArray, is_partition
from docid.trie_build import TrieArrays
from fm_index.container import ArtefactError, Container

__all__ = ["check_arrays"]

INDEX_DTYPES = (np.dtype(np.int32), np.dtype(np.int64))
TOKEN_DTYPES = (np.dtype(np.uint16), np.dtype(np.int32))


def check_arrays(path: str | os.PathLike[str], stored: Container) -> tuple[TrieArrays, int]:
    """The arrays and the end token of a stored trie.

    Raises:
        ArtefactError: an array is missing, has the wrong type or shape, or points outside another.
    """
    arrays, eos = stored.arrays, stored.meta.get("eos")
    for name in TrieArrays._fields:
        dtypes = TOKEN_DTYPES if name in ("tokens", "tails") else INDEX_DTYPES
        if name not in arrays or arrays[name].ndim != 1 or arrays[name].dtype not in dtypes:
            raise ArtefactError(
                f"{path}: damaged: the trie's array {name!r} is missing or of the wrong type."
            )
    if not isinstance(eos, int) or eos < 0:
        raise ArtefactError(f"{path}: damaged: the end token is {eos!r}, expected a token id.")
    trie = TrieArrays(*(arrays[name] for name in TrieArrays._fields))
    fault = _fault(trie, eos)
    if fault:
        raise ArtefactError(f"{path}: damaged: {fault}. Build the trie again.")
    return trie, eos


def _fault(trie: TrieArrays, eos: int) -> str | None:
    leaves = len(trie.tail_starts) - 1
    if not is_partition(trie.offsets, len(trie.tokens)):
        return "the nodes' offsets do not divide the edges"
    if not is_partition(trie.tail_starts, len(trie.tails)):
        return "the leaves' offsets do not divide the tails"
    if len(trie.node_edges) != len(trie.offsets) - 2 or len(trie.node_edges) + leaves != len(trie.tokens):
        return "the numbers of nodes, leaves and edges do not agree"
    if not _lead_down(trie.node_edges, trie.offsets):
        return "an edge to a node is out of order"
    if not _closed(trie, eos):
        return "a tail is not closed by the end token"
    return _fault_in_documents(trie, leaves)


def _fault_in_documents(trie: TrieArrays, leaves: int) -> str | None:
    if len(trie.leaf_offsets) == 0:
        return (
            None if len(trie.leaf_documents) == leaves else "the numbers of leaves and documents do not agree"
        )
    if len(trie.leaf_offsets) != leaves + 1 or not is_partition(trie.leaf_offsets, len(trie.leaf_documents)):
        return "the leaves' offsets do not divide the documents"
    return None


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
    return bool((trie.tails[last] == eos).all())
