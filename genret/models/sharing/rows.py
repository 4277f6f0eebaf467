"""Which query each beam belongs to, and how beams share what is stored once per query.

Encoder states, cross-attention keys and prompts are kept once per query; attention folds the beams of a query into its
query axis (`shared_attention`). States are immutable, so that an earlier one can be stepped again. Knows row numbers
and tensor shapes; knows nothing of models, tokens or scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """The layout of a decoder's rows: `query_of_row[r]` is the query that row r belongs to.

    Queries may have different numbers of rows, in any order, as long as each has at least one. Where all have
    the same number, in query order, `rows_per_query` says how many, and folding is a reshape.

    Attributes:
        query_of_row: int64 [rows].
        queries: how many queries there are.
        rows_per_query: K where row r belongs to query r // K, else None.
    """

    query_of_row: Tensor
    queries: int
    rows_per_query: int | None

    @classmethod
    def single(cls, queries: int, device: torch.device) -> Rows:
        """One row for each query."""
        return cls(torch.arange(queries, device=device), queries, 1)

    @classmethod
    def of(cls, query_of_row: Tensor, queries: int) -> Rows:
        """The layout of any assignment; reads its values, so a CUDA tensor is waited for."""
        per_query, rest = divmod(len(query_of_row), max(1, queries))
        if rest == 0 and torch.equal(query_of_row, _blocks(queries, per_query, query_of_row.device)):
            return cls(query_of_row, queries, per_query)
        return cls(query_of_row, queries, None)

    def __len__(self) -> int:
        return len(self.query_of_row)

    def expand(self, rows_per_query: int) -> Rows:
        """The same queries with `rows_per_query` rows each, in query order; reads no values."""
        blocks = _blocks(self.queries, rows_per_query, self.query_of_row.device)
        return Rows(blocks, self.queries, rows_per_query)

    def reordered(self, rows: Tensor, rows_per_query: int | None) -> tuple[Rows, Tensor | None]:
        """The layout of the rows `rows`, and the queries kept (None: all), as `Backbone.reorder` asks for it."""
        return self.select(rows) if rows_per_query is None else (self.expand(rows_per_query), None)

    def select(self, rows: Tensor) -> tuple[Rows, Tensor | None]:
        """The layout of the rows `rows` (int64 [n]), and the queries that are kept (None: all of them).

        Queries without a row are dropped and the others renumbered in order; a layout of one row for each query
        in another order is renumbered too, so that it is `single` again.
        """
        query_of_row = self.query_of_row.index_select(0, rows)
        kept, renumbered = torch.unique(query_of_row, return_inverse=True)
        if len(kept) == len(query_of_row):  # one row a query: put the queries into the order of the rows
            same = torch.equal(query_of_row, self.query_of_row.new_tensor(range(self.queries)))
            return Rows.single(len(kept), rows.device), None if same else query_of_row
        if len(kept) == self.queries:
            return Rows.of(query_of_row, self.queries), None
        return Rows.of(renumbered, len(kept)), kept

    def fold(self, x: Tensor) -> Tensor:
        """[rows, heads, T, d] to [queries, heads, width * T, d], each query's rows side by side.

        `width` is the largest number of rows of a query; the places of missing rows are zero.
        """
        _, heads, length, dim = x.shape
        if self.rows_per_query is None:
            padded = x.new_zeros(self.queries * self._width, heads, length, dim)
            x = padded.index_copy_(0, self._slots, x)
        return (
            x.view(self.queries, -1, heads, length, dim).transpose(1, 2).reshape(self.queries, heads, -1, dim)
        )

    def unfold(self, x: Tensor, length: int) -> Tensor:
        """The inverse of `fold`, as [rows, T, heads, d]."""
        queries, heads, _, dim = x.shape
        x = x.view(queries, heads, -1, length, dim).permute(0, 2, 3, 1, 4).reshape(-1, length, heads, dim)
        return x if self.rows_per_query is not None else x.index_select(0, self._slots)

    @cached_property
    def _width(self) -> int:
        return int(torch.bincount(self.query_of_row, minlength=self.queries).max())

    @cached_property
    def _slots(self) -> Tensor:
        """Where each row goes in a [queries, width] table: its query, and its rank among that query's rows."""
        order = torch.argsort(self.query_of_row, stable=True)
        counts = torch.bincount(self.query_of_row, minlength=self.queries)
        starts = counts.cumsum(0) - counts
        ranks = torch.empty_like(order)
        ranks[order] = torch.arange(len(order), device=order.device) - starts[self.query_of_row[order]]
        return self.query_of_row * self._width + ranks


def _blocks(queries: int, per_query: int, device: torch.device) -> Tensor:
    return torch.arange(queries, device=device).repeat_interleave(per_query)
