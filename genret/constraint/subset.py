"""Subsets of the documents as filters of a trie: which edges still lead to one of them.

Knows document numbers and the edges of a `DocidTrie`; knows nothing of why a document belongs to a subset. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray, position_in
from docid.trie import DocidTrie
from genret.errors import InputError

__all__ = ["Subset", "build_subset"]


@dataclass(frozen=True)
class Subset:
    """Some documents, and the edges of nodes on the way to them.

    Attributes:
        documents: int64 [n]; ascending, distinct.
        edges: int64 [e]; ascending, distinct.
    """

    documents: IntArray
    edges: IntArray

    def reaches(self, trie: DocidTrie, prefix: Sequence[int]) -> bool:
        """Whether a docid that begins with `prefix` belongs to one of the documents."""
        if not len(prefix):
            return len(self.documents) > 0
        return bool(np.isin(trie.documents_below(prefix), self.documents).any())

    def leads_on(self, trie: DocidTrie, edges: IntArray) -> npt.NDArray[np.bool_]:
        """Whether one of the documents lies below each edge, for rows that came by such edges: bool [n]."""
        # In a tail nothing is left to tell.
        found = edges >= trie.num_edges
        places = np.searchsorted(self.edges, edges)
        inside = np.flatnonzero(places < len(self.edges))
        found[inside] |= self.edges[places[inside]] == edges[inside]
        return found


def build_subset(
    trie: DocidTrie, documents: IntArray, removed: npt.NDArray[np.bool_] | None = None
) -> Subset:
    """Walk from the documents' leaves up to the root, one level of all of them at a time.

    `removed` (bool, by document number) are left out; its numbers exist, also those that the trie has not.

    Raises:
        InputError: a document does not exist.
    """
    documents = _distinct(documents)
    document_end = trie.document_end if removed is None else len(removed)
    if len(documents) and (documents[0] < 0 or documents[-1] >= document_end):
        bad = documents[0] if documents[0] < 0 else documents[-1]
        raise InputError(
            f"filter: document {bad} does not exist; expected numbers from 0 to {document_end - 1}."
        )
    if removed is not None:
        documents = documents[~removed[documents] & (documents < trie.document_end)]
    level = _leaf_edges(trie, _leaves_of(trie, documents))
    found = [level]
    while len(level):
        # Edges ascend, and so do the nodes that have them.
        nodes = _distinct(position_in(trie.offsets, level, side="right") - 1)
        level = trie.node_edges[nodes[nodes > 0] - 1].astype(np.int64)
        found.append(level)
    return Subset(documents, _distinct(np.concatenate(found)))


def _leaves_of(trie: DocidTrie, documents: IntArray) -> IntArray:
    """The leaves of ascending distinct document numbers."""
    places = np.flatnonzero(np.isin(trie.leaf_documents, documents))
    return (
        places
        if not len(trie.leaf_offsets)
        else _distinct(position_in(trie.leaf_offsets, places, "right") - 1)
    )


def _distinct(numbers: IntArray) -> IntArray:
    """In ascending order, each once; runs that ascend already are merged, where `numpy.unique` would hash."""
    ascending = np.sort(numbers, kind="stable")
    found: IntArray = ascending[np.append(True, np.diff(ascending) != 0)[: len(ascending)]]
    return found


def _leaf_edges(trie: DocidTrie, leaves: IntArray) -> IntArray:
    """The edge that leads to each leaf: the leaf's number, and the edges to nodes that come before."""
    leaf_edges_before = trie.node_edges.astype(np.int64) - np.arange(len(trie.node_edges))
    return leaves + np.searchsorted(leaf_edges_before, leaves, side="right")
