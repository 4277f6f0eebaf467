"""Rows of different lengths in flat tensors, and the best entries of each; ties go to the first entry.

Knows numbers and groups; knows nothing of what they mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_of_groups", "grid_of_groups", "offsets_of", "row_numbers", "spans"]


def offsets_of(counts: Tensor) -> Tensor:
    """Where each row begins: int64 [rows + 1], for `counts` int64 [rows]."""
    offsets = counts.new_zeros(len(counts) + 1)
    torch.cumsum(counts, 0, out=offsets[1:])
    return offsets


def row_numbers(offsets: Tensor, size: int | None = None) -> Tensor:
    """The row of each entry: int64 [m]. With `size` (m) no device has to be waited for."""
    rows = torch.arange(len(offsets) - 1, device=offsets.device)
    return torch.repeat_interleave(rows, offsets.diff(), output_size=size)


def spans(begins: Tensor, counts: Tensor, size: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Positions `begins[r]`, `begins[r] + 1`, ... (`counts[r]` of them), rows one after the other.

    Args:
        begins, counts: int64 [rows].
        size: the sum of `counts`, where the caller knows it.

    Returns:
        positions int64 [m], offsets int64 [rows + 1], and the row of each position, int64 [m].
    """
    offsets = offsets_of(counts)
    rows = row_numbers(offsets, size)
    positions = torch.arange(len(rows), device=begins.device) + (begins - offsets[:-1])[rows]
    return positions, offsets, rows


def grid_of_groups(values: Tensor, bounds: Tensor, groups: Tensor, width: int) -> Tensor:
    """Groups of different sizes as rows of one grid, filled up with -inf.

    Args:
        values: float [m].
        bounds: int64 [groups]; where each group begins in `values`.
        groups: int64 [m]; the group of each entry, ascending.
        width: at least the size of the largest group.
    """
    grid = values.new_full((len(bounds), width), -torch.inf)
    columns = torch.arange(len(values), device=values.device) - bounds[groups]
    return grid.index_put_((groups, columns), values)


def best_of_groups(grid: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The columns of the `count` greatest entries of each row of `grid` (float [groups, width]).

    Returns:
        columns int64 [groups, count], ascending (not by value), 0 where a row has fewer finite entries; and
        which of them are meant, bool [groups, count], the meant ones first. Among equal entries the first
        columns are taken. No value is read by the host.
    """
    groups, width = grid.shape
    taken = min(count, width)
    last = grid.topk(taken, dim=1, sorted=False).values.amin(1, keepdim=True)
    above, level = grid > last, (grid == last) & (last > -torch.inf)
    room = taken - above.sum(1, keepdim=True)
    chosen = above | (level & (level.cumsum(1) <= room))
    place = torch.where(chosen, chosen.cumsum(1) - 1, count)
    columns = torch.zeros((groups, count + 1), dtype=torch.int64, device=grid.device)
    columns.scatter_(1, place, torch.arange(width, device=grid.device).expand_as(place))
    meant = torch.arange(count, device=grid.device) < chosen.sum(1, keepdim=True)
    return columns[:, :count] * meant, meant
