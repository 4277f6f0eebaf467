"""How a backbone decodes: with its cache, in groups, anew at each step, or with its cache while that is right.

Knows what backbones of transformers' models have in common (`BackboneParts`); knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from genret.models.exactness.paths import Paths

__all__ = ["BackboneParts", "Cached", "Decoding", "groups_of"]


class BackboneParts(Protocol):
    """What a backbone does itself; see `Backbone` for shapes. `encoded` here may be any that it made."""

    paths: Paths

    def teach(self, encoded: Any, targets: Tensor) -> Tensor:
        """Hidden states [queries, T, d] that predict `targets`, int64 [queries, T], computed without a cache."""
        ...

    def read(self, encoded: Any) -> tuple[Tensor, Any]:
        """See `Backbone.start`."""
        ...

    def feed(self, state: Any, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """See `Backbone.step`, for tokens int64 [rows, n]."""
        ...

    def gather(self, state: Any, rows: Tensor, rows_per_query: int | None) -> Any:
        """See `Backbone.reorder`."""
        ...


class Decoding(Protocol):
    """`start`, `step` (tokens int64 [rows, n]) and `reorder` of `Backbone`."""

    def start(self, encoded: Any) -> tuple[Tensor, Any]: ...

    def step(self, state: Any, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, Any]: ...

    def reorder(self, state: Any, rows: Tensor, rows_per_query: int | None) -> Any: ...


class Cached:
    """The backbone's own steps; token by token where several at once are not exact."""

    def __init__(self, parts: BackboneParts) -> None:
        self.start, self.reorder = parts.read, parts.gather
        self._feed, self._several = parts.feed, parts.paths.several

    def step(self, state: Any, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """See `Decoding`."""
        if self._several or tokens.shape[1] == 1:
            return self._feed(state, tokens, lengths)
        steps = []
        for column in tokens.unsqueeze(2).unbind(1):
            hidden, state = self._feed(state, column, None)
            steps.append(hidden)
        return torch.cat(steps, 1), state


def groups_of(lengths: Sequence[int], alone: bool) -> list[list[int]]:
    """The places of equal lengths together, or each place by itself; ascending within a group."""
    groups: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        groups.setdefault(place if alone else length, []).append(place)
    return list(groups.values())
