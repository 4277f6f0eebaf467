"""Queries in groups that the model sees apart, so that none of them is padded; knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genret.models.exactness.decoding import Decoding, groups_of

__all__ = ["Grouped"]


@dataclass(frozen=True)
class _State:
    """`states[g]` has the rows `places[g]` (int64, ascending) of the batch."""

    states: tuple[Any, ...]
    places: tuple[Tensor, ...]


class Grouped:
    """Decodes queries whose sources are of equal length together, or each query alone.

    Args:
        inner: decodes a group.
        alone: every query is a group.
    """

    def __init__(self, inner: Decoding, alone: bool) -> None:
        self.inner, self.alone = inner, alone

    def start(self, encoded: Any) -> tuple[Tensor, _State]:
        """See `Decoding`."""
        device = encoded.mask.device
        groups = groups_of(encoded.mask.sum(1).tolist(), self.alone)
        places = tuple(torch.tensor(group, device=device) for group in groups)
        if not places:
            hidden, state = self.inner.start(encoded)
            return hidden, _State((state,), (torch.zeros(0, dtype=torch.int64, device=device),))
        started = [self.inner.start(encoded.select(group).unpadded()) for group in places]
        return _joined([hidden for hidden, _ in started], places), _State(
            tuple(state for _, state in started), places
        )

    def step(self, state: _State, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, _State]:
        """See `Decoding`."""
        stepped = [
            self.inner.step(part, tokens[rows], None if lengths is None else lengths[rows])
            for part, rows in zip(state.states, state.places, strict=True)
        ]
        hidden = _joined([hidden for hidden, _ in stepped], state.places)
        return hidden, _State(tuple(part for _, part in stepped), state.places)

    def reorder(self, state: _State, rows: Tensor, rows_per_query: int | None) -> _State:
        """See `Decoding`; groups that are left without a row are dropped."""
        total = sum(map(len, state.places))
        group_of, place_in = rows.new_zeros(total), rows.new_zeros(total)
        for number, places in enumerate(state.places):
            group_of[places] = number
            place_in[places] = torch.arange(len(places), device=rows.device)
        states, kept = [], []
        for number, part in enumerate(state.states):
            mine = (group_of[rows] == number).nonzero().squeeze(1)
            if len(mine):
                states.append(self.inner.reorder(part, place_in[rows[mine]], rows_per_query))
                kept.append(mine)
        return _State(tuple(states), tuple(kept))


def _joined(parts: list[Tensor], places: tuple[Tensor, ...]) -> Tensor:
    """Rows of the groups in the order of the batch."""
    return torch.cat(parts)[torch.cat(places).argsort()]
