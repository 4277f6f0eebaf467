"""The subsets of one search as tensors, each row's own: which edges and documents belong to them.

Knows document numbers and edges; knows nothing of why a document belongs to a subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from docid.trie import DocidTrie
from genret.constraint.protocol import Documents
from genret.constraint.ragged_tensors import row_numbers
from genret.constraint.subset import Subset

__all__ = ["SubsetTable", "keep_documents"]


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


def _member(ascending: Tensor, keys: Tensor) -> Tensor:
    if not len(ascending):
        return torch.zeros_like(keys, dtype=torch.bool)
    places = torch.searchsorted(ascending, keys).clamp(max=len(ascending) - 1)
    return ascending[places] == keys
