"""Rows of different lengths in flat tensors; knows integers and nothing of what they mean."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["offsets_of", "row_numbers", "spans"]


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
