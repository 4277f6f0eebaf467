"""The constraint's states of rows that someone else reorders: found again by their tokens, not walked again.

Knows token ids of rows from call to call; knows nothing of who chose them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genret.constraint import Constraint, Successors
from genret.constraint.ragged_tensors import row_numbers

__all__ = ["RowsByTokens"]

_FACTOR = 6364136223846793005


class RowsByTokens:
    """Successors of the rows of a growing batch, whose order is not known from step to step.

    A row of tokens one longer than before is looked up among the rows of the last call by a hash of all but its
    last token, compared token by token, and moved by one step. Rows with the same tokens share a state: at
    first, all beams of all queries do. Rows that left the constraint are dead: they have no state. Rows that do
    not continue those of the last call begin anew.

    Args:
        constraint: what may come next.
        vocab_size: above every token.
        prompt_length: tokens before the constraint begins; None for the width of the first rows.
    """

    def __init__(self, constraint: Constraint, vocab_size: int, prompt_length: int | None) -> None:
        self.constraint = constraint
        self.vocab_size = vocab_size
        self.prompt_length = prompt_length
        self._ids: Tensor | None = None

    def successors(self, ids: Tensor) -> tuple[Successors, Tensor]:
        """The legal next tokens after `ids`, int64 [rows, t], the prompt included.

        Returns:
            successors of distinct states; and the state of each row of `ids`, -1 for a dead one: int64 [rows].
        """
        if not self._advance(ids):
            self._walk(ids[:, ids.shape[1] if self.prompt_length is None else self.prompt_length :])
        self._ids, self._hashes = ids, _hashed(ids)
        self._successors = self.constraint.successors(self._state)
        return self._successors, self._states

    def _advance(self, ids: Tensor) -> bool:
        """Move by one step; False where `ids` does not continue the rows of the last call."""
        known = self._ids
        if known is None or ids.shape[1] != known.shape[1] + 1 or known.device != ids.device:
            return False
        parents, found = _positions(self._hashes, _hashed(ids[:, :-1]))
        if not bool((found & (known[parents] == ids[:, :-1]).all(1)).all()):
            return False
        self._move(self._states[parents], ids[:, -1])
        return True

    def _walk(self, tokens: Tensor) -> None:
        """Every row from the root."""
        self._state = self.constraint.start(1)
        self._states = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        for column in tokens.unbind(1):
            self._successors = self.constraint.successors(self._state)
            self._move(self._states, column)

    def _move(self, states: Tensor, tokens: Tensor) -> None:
        """Rows in `states` (int64 [n], -1 for dead) of the last successors, moved by `tokens`."""
        successors = self._successors
        if successors.everything:
            edges, legal = states * self.vocab_size + tokens, states >= 0
        else:
            entry_rows = row_numbers(successors.offsets, len(successors.tokens))
            keys = entry_rows * self.vocab_size + successors.tokens
            edges, legal = _positions_sorted(keys, states * self.vocab_size + tokens)
            legal &= states >= 0
        distinct, numbers = torch.unique(edges[legal], return_inverse=True)
        self._states = torch.full_like(states, -1).masked_scatter_(legal, numbers)
        self._state = self.constraint.advance(successors, distinct)


def _hashed(ids: Tensor) -> Tensor:
    """A polynomial of each row's tokens, int64 [rows]; it wraps around, as a hash may."""
    powers = torch.full((ids.shape[1],), _FACTOR, device=ids.device).cumprod(0)
    return ((ids + 1) * powers).sum(1)


def _positions(values: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Where each of `wanted` is among `values`, and whether it is."""
    ordered, order = values.sort()
    places, found = _positions_sorted(ordered, wanted)
    return order[places], found


def _positions_sorted(values: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    if not len(values):
        return torch.zeros_like(wanted), torch.zeros_like(wanted, dtype=torch.bool)
    places = torch.searchsorted(values, wanted).clamp(max=len(values) - 1)
    return places, values[places] == wanted
