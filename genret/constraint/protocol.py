"""What may come next: the protocol between an index of docids and a decoder.

Knows token ids and document numbers; knows no text and no model. All tensors of one constraint live on one
device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

__all__ = [
    "Bounded",
    "Completing",
    "Constraint",
    "Counting",
    "Documents",
    "Ending",
    "State",
    "Successors",
    "no_edges",
]

# A row of state is a few integers: a trie node, or the bounds of an FM-index range. Only its constraint looks
# into a state; everyone else hands it on.
State: TypeAlias = Any


@dataclass(frozen=True)
class Successors:
    """The legal next tokens of a batch of states, in CSR form.

    Attributes:
        offsets: int64 [rows + 1]; row r has the entries `offsets[r]:offsets[r + 1]`; a row may have none.
        tokens: int64 [m]; ascending within a row.
        payload: what `advance` needs, private to the constraint.
        everything: every token is legal in every row; then `offsets` and `tokens` are empty, and the edge of
            token t in row r is `r * vocab_size + t`.
    """

    offsets: Tensor
    tokens: Tensor
    payload: Any = None
    everything: bool = False


@dataclass(frozen=True)
class Documents:
    """The documents of each finished state, in CSR form, in passage order within a row.

    Attributes:
        offsets: int64 [rows + 1].
        documents: int64 [m]; document numbers.
    """

    offsets: Tensor
    documents: Tensor


class Constraint(Protocol):
    """Batched, and stateless between calls: what `advance` needs travels in `Successors`. Thread-safe."""

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row for each query: at the root, or after its forced prefix, or within its subset of documents."""
        ...

    def successors(self, state: State, size: int | None = None) -> Successors:
        """The legal next tokens of each row; `size` is the number of all of them, where the caller knows it."""
        ...

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The states that the entries `edges` (int64 [n], positions in `successors.tokens`) lead to.

        Also gathers and repeats rows: n is free.
        """
        ...

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """Which documents each finished state stands for, at most `limit` of them a row."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A constraint whose sequences all end with one token, by which those made for another model are told."""

    eos: int


@runtime_checkable
class Bounded(Protocol):
    """A constraint that knows its greatest token, by which those made for another model are told."""

    @property
    def largest_token(self) -> int:
        """The greatest token id that may come, the end token included."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A constraint that can count successors before it lists them.

    The decoder fetches the counts with its one synchronisation a step and hands their sum to `successors`,
    which then need not wait for the device.
    """

    def counts(self, state: State) -> Tensor:
        """How many successors each row has: int64 [rows], on the constraint's device."""
        ...


@runtime_checkable
class Completing(Protocol):
    """A constraint that sees when nothing is left to choose, so that the rest is scored in one pass."""

    def remaining(self, state: State) -> Tensor:
        """int64 [rows]: where a single docid is left, its tokens to come, end token included; 0 elsewhere."""
        ...

    def complete(self, state: State, width: int) -> tuple[Tensor, State]:
        """The tokens to come, and the finished states.

        Tokens are int64 [rows, width], at the right end of each row, -1 before them; `width` is at least the
        greatest of `remaining`. Every row of `state` must have some.
        """
        ...


def no_edges(device: torch.device | str = "cpu") -> Tensor:
    """An empty int64 tensor, for the arrays of `Successors.everything`."""
    return torch.empty(0, dtype=torch.int64, device=device)
