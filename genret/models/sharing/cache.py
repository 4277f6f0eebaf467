"""What a decoder keeps between steps: the keys and values of the tokens so far, one row a beam.

Knows tensors and transformers' cache interface; knows no model and no query. States are immutable: growing
one gives new tensors, so that an earlier state can be stepped again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

__all__ = ["GrowingLayer", "KeysValues", "Past", "growing_cache", "grown_past"]

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Past:
    """The self-attention cache of all layers, with reorderings that are applied only when it next grows.

    Rows may have seen different numbers of tokens: they are aligned on the right, so that distances between
    positions in the cache are distances between tokens.

    Attributes:
        layers: keys and values of each layer, each [stored rows, T, heads, d].
        order: int64 [rows], the stored row of each row; None where they are the same.
        width: T.
        lengths: int64 [rows], the tokens that each row has seen; None where all have seen T.
    """

    layers: tuple[KeysValues, ...] = ()
    order: Tensor | None = None
    width: int = 0
    lengths: Tensor | None = None

    def reorder(self, rows: Tensor) -> Past:
        """Rows gathered, lazily; the same object where, on a CPU, the rows are those it has."""
        if self._is_identity(rows):
            return self
        order = rows if self.order is None else self.order.index_select(0, rows)
        lengths = None if self.lengths is None else self.lengths.index_select(0, rows)
        return replace(self, order=order, lengths=lengths)

    def _is_identity(self, rows: Tensor) -> bool:
        if rows.device.type != "cpu" or not self.layers:
            return False
        count = len(self.layers[0][0] if self.order is None else self.order)
        return len(rows) == count and torch.equal(rows, torch.arange(count))

    def grown_lengths(
        self, rows: int, tokens: int, fed: Tensor | None, device: torch.device
    ) -> Tensor | None:
        """int64 [rows], the lengths once `tokens` columns are fed, of which row r uses the last `fed[r]`."""
        if fed is None and self.lengths is None:
            return None
        before = torch.full((rows,), self.width, device=device) if self.lengths is None else self.lengths
        return before + (tokens if fed is None else fed)

    def positions(self, tokens: int, lengths: Tensor | None, device: torch.device) -> Tensor:
        """int64 [rows or 1, tokens]: the place of each new token in its row; padding columns count as 0."""
        columns = torch.arange(tokens, device=device)
        if lengths is None:
            return (columns + self.width)[None]
        return (lengths[:, None] - tokens + columns).clamp_min(0)

    def mask(self, tokens: int, lengths: Tensor | None, device: torch.device) -> Tensor:
        """bool [rows or 1, 1, tokens, T + tokens]: which tokens each new token sees, itself always among them."""
        width = self.width + tokens
        keys = torch.arange(width, device=device)
        queries = keys[self.width :, None]
        causal = keys <= queries  # [tokens, width]
        if lengths is None:
            return causal[None, None]
        real = keys >= width - lengths[:, None, None]  # [rows, 1, width]
        return (causal & (real | (keys == queries)))[:, None]

    def grow(self, layer: int, keys: Tensor, values: Tensor, fed: Tensor | None) -> KeysValues:
        """Layer `layer` with new keys and values [rows, n, heads, d] behind it: [rows, T + n, heads, d]."""
        if not self.layers:
            return keys, values
        old_keys, old_values = self.layers[layer]
        return self._append(old_keys, keys, fed), self._append(old_values, values, fed)

    def _append(self, old: Tensor, new: Tensor, fed: Tensor | None) -> Tensor:
        rows, tokens, heads, dim = new.shape
        grown = new.new_empty(rows, self.width + tokens, heads, dim)
        if self.order is None:
            grown[:, : self.width] = old
        else:
            torch.index_select(old, 0, self.order, out=grown[:, : self.width])
        grown[:, self.width :] = new
        return grown if fed is None else _align_right(grown, self.width, tokens - fed)


def _align_right(x: Tensor, width: int, gaps: Tensor) -> Tensor:
    """Close the gap of `gaps[r]` columns behind column `width` of each row, moving what precedes it right."""
    columns = torch.arange(x.shape[1], device=x.device)
    moved = columns < width + gaps[:, None]  # [rows, columns]: the old columns, where they come to lie
    source = torch.where(moved, (columns - gaps[:, None]).clamp_min(0), columns)
    return x.gather(1, source[:, :, None, None].expand_as(x))


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """One layer of a `Past`, as transformers' modelling code expects it; `grown` is its next form."""

    is_croppable = False

    def __init__(
        self, past: Past, layer: int, fed: Tensor | None, mark: Callable[[Tensor, int], Tensor] | None
    ) -> None:
        super().__init__()
        self.past, self.layer, self.fed, self.mark = past, layer, fed, mark
        self.grown: KeysValues | None = None
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> KeysValues:
        """Append [rows, heads, n, d]; return everything so far as [rows, heads, T + n, d]."""
        new = key_states.transpose(1, 2), value_states.transpose(1, 2)
        self.grown = self.past.grow(self.layer, *new, self.fed)
        self.keys, self.values = (x.transpose(1, 2) for x in self.grown)
        return self.keys if self.mark is None else self.mark(self.keys, self.layer), self.values

    def get_seq_length(self) -> int:
        """Tokens seen before this step."""
        return self.past.width

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Width of the mask of a step, and its offset."""
        return self.past.width + query_length, 0


def growing_cache(
    past: Past, layers: int, fed: Tensor | None = None, mark: Callable[[Tensor, int], Tensor] | None = None
) -> Cache:
    """A transformers cache that appends to `past`; its layers hold what they grew to.

    `mark(keys, layer)` may put a note on the keys that attention is given.
    """
    return Cache(layers=[GrowingLayer(past, layer, fed, mark) for layer in range(layers)])


def grown_past(past: Past, cache: Cache, tokens: int, lengths: Tensor | None) -> Past:
    """The `Past` after a step of `tokens` columns that ran on `cache`."""
    return Past(tuple(layer.grown for layer in cache.layers), None, past.width + tokens, lengths)
