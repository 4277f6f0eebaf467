"""Constraints made of constraints: any of several, or one after the other.

Knows rows and the states that its parts have for them; knows nothing of what the parts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genret.constraint.protocol import Constraint, Documents, State, Successors
from genret.constraint.ragged_tensors import offsets_of, row_numbers, spans
from genret.errors import UsageError

__all__ = ["UnionConstraint", "sorted_documents"]


@dataclass(frozen=True)
class PartRows:
    """The rows of a state that one part has a state for.

    Attributes:
        state: the part's.
        rows: int64 [n]; the row of the whole that each row of `state` is; ascending.
    """

    state: State
    rows: Tensor


@dataclass(frozen=True)
class UnionState:
    """One entry a part; a row that a part has left is in none of its rows."""

    parts: list[PartRows]
    count: int

    def __len__(self) -> int:
        return self.count


class UnionConstraint:
    """What any of the constraints allows; a sequence stands for the documents that all of them name for it.

    Args:
        constraints: on one device. Their document numbers are taken as numbers of the same documents.
    """

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        if not constraints:
            raise UsageError("a union of no constraints allows nothing; give at least one.")
        self.constraints = list(constraints)

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """Every part from its start."""
        states = [part.start(queries, prefixes=prefixes, filters=filters) for part in self.constraints]
        # The protocol names no device: what a part answers tells.
        device = self.constraints[0].successors(states[0]).offsets.device
        rows = torch.arange(queries, device=device)
        return UnionState([PartRows(state, rows) for state in states], queries)

    def successors(self, state: State, size: int | None = None) -> Successors:
        """The union of what the parts allow; the payload is each part's successors, and their entries.

        Raises:
            UsageError: a part allows everything; then so does the union, and it is of no use.
        """
        found = [
            part.successors(rows.state) for part, rows in zip(self.constraints, state.parts, strict=True)
        ]
        if any(part.everything for part in found):
            raise UsageError(
                "a union with a constraint that allows everything allows everything; leave the others out."
            )
        # Row and token as one number: one sort merges the parts and keeps rows together.
        width = max((int(part.tokens.max()) + 1 for part in found if len(part.tokens)), default=1)
        keys = [
            rows.rows[row_numbers(part.offsets, len(part.tokens))] * width + part.tokens
            for part, rows in zip(found, state.parts, strict=True)
        ]
        merged = torch.unique(torch.cat(keys))
        entries = [_entries(own, merged) for own in keys]
        counts = torch.bincount(merged // width, minlength=state.count)
        return Successors(offsets_of(counts), merged % width, payload=(found, entries))

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """Every part moves the rows that it still holds."""
        found, entries = successors.payload
        parts = []
        for part, own, entry in zip(self.constraints, found, entries, strict=True):
            chosen = entry[edges]
            rows = (chosen >= 0).nonzero().squeeze(1)
            # A part drops a row for good once it did not allow its token; another part may hold it on.
            parts.append(PartRows(part.advance(own, chosen[rows]), rows))
        return UnionState(parts, len(edges))

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """The documents of all parts, in passage order, each once."""
        rows, numbers = [], []
        for part, held in zip(self.constraints, state.parts, strict=True):
            found = part.documents(held.state)
            rows.append(held.rows[row_numbers(found.offsets, len(found.documents))])
            numbers.append(found.documents)
        return sorted_documents(torch.cat(rows), torch.cat(numbers), state.count, limit)


def _entries(own: Tensor, merged: Tensor) -> Tensor:
    """Where each of `merged` is in `own` (both ascending), or -1."""
    if not len(own):
        return torch.full_like(merged, -1)
    places = torch.searchsorted(own, merged).clamp(max=len(own) - 1)
    return torch.where(own[places] == merged, places, -1)


def sorted_documents(rows: Tensor, numbers: Tensor, count: int, limit: int | None) -> Documents:
    """Pairs of row and document as `Documents`: ascending, each once, at most `limit` a row."""
    width = int(numbers.max()) + 1 if len(numbers) else 1
    pairs = torch.unique(rows * width + numbers)
    counts = torch.bincount(pairs // width, minlength=count)
    offsets = offsets_of(counts)
    if limit is None:
        return Documents(offsets, pairs % width)
    places, offsets, _ = spans(offsets[:-1], counts.clamp(max=limit))
    return Documents(offsets, pairs[places] % width)
