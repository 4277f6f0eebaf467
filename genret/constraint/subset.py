"""Subsets of the documents as filters of a trie: which edges still lead to one of them.

Knows document numbers and the edges of a `DocidTrie`; knows nothing of why a document belongs to a subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from docid.ragged import IntArray, position_in
from docid.trie import DocidTrie
from genret.constraint.protocol import Documents
from genret.constraint.ragged_tensors import row_numbers
from genret.errors import InputError

__all__ = ["Subset", "SubsetTable", "build_subset", "keep_documents"]


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


@dataclass(frozen=True)
class SubsetTable:
    """The subsets of one search, each row's keys one after the other, so that one binary search finds any.

    Attributes:
        edge_keys: int64, ascending; subset * num_edges + edge.
        document_keys: int64, ascending; subset * document_end + document.
        num_edges, document_end: of the trie.
    """

    edge_keys: Tensor
    document_keys: Tensor
    num_edges: int
    document_end: int

    @classmethod
    def of(
        cls, rows: Sequence[Subset | None], trie: DocidTrie, device: torch.device
    ) -> tuple[SubsetTable, Tensor]:
        """The table of the subsets of all rows, each stored once, and which of them each row has, or -1."""
        distinct = list({id(subset): subset for subset in rows if subset is not None}.values())
        numbers = {id(subset): number for number, subset in enumerate(distinct)}
        # Keys of later subsets are greater, so that the whole stays ascending without a sort.
        edges = [subset.edges + number * trie.num_edges for number, subset in enumerate(distinct)]
        documents = [subset.documents + number * trie.document_end for number, subset in enumerate(distinct)]
        edge_keys, document_keys = (
            torch.from_numpy(np.concatenate(parts)).to(device) for parts in (edges, documents)
        )
        table = cls(edge_keys, document_keys, trie.num_edges, trie.document_end)
        subset_of_row = [-1 if subset is None else numbers[id(subset)] for subset in rows]
        return table, torch.tensor(subset_of_row, dtype=torch.int64, device=device)

    def holds_edge(self, subsets: Tensor, edges: Tensor) -> Tensor:
        """Whether each edge leads to a document of its subset (-1: every edge does): bool [n]."""
        return (subsets < 0) | _member(self.edge_keys, subsets * self.num_edges + edges)

    def filter_documents(self, every: Documents, subsets: Tensor, limit: int | None) -> Documents:
        """Of each row's documents those in its subset, at most `limit`."""
        rows = row_numbers(every.offsets)
        subset = subsets[rows]
        member = (subset < 0) | _member(self.document_keys, subset * self.document_end + every.documents)
        return keep_documents(every, member, limit)


def keep_documents(every: Documents, kept: Tensor, limit: int | None) -> Documents:
    """Of each row's documents those `kept` (bool [m]), at most `limit`."""
    rows = row_numbers(every.offsets)
    before = torch.zeros(len(rows) + 1, dtype=torch.int64, device=rows.device)
    torch.cumsum(kept, 0, out=before[1:])
    if limit is not None:
        kept = kept & (before[:-1] - before[every.offsets[rows]] < limit)
        # Again, over those that the limit has left.
        torch.cumsum(kept, 0, out=before[1:])
    return Documents(before[every.offsets], every.documents[kept])


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


def _member(ascending: Tensor, keys: Tensor) -> Tensor:
    if not len(ascending):
        return torch.zeros_like(keys, dtype=torch.bool)
    places = torch.searchsorted(ascending, keys).clamp(max=len(ascending) - 1)
    return ascending[places] == keys
