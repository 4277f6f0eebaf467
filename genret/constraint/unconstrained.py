"""Every token is legal until the end token; knows the vocabulary's size and nothing of docids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from genret.constraint.protocol import Documents, State, Successors, no_edges
from genret.errors import UsageError

__all__ = ["NoConstraint"]


class NoConstraint:
    """The constraint that constrains nothing: plain decoding, and the measure of what a constraint costs.

    Args:
        vocab_size: width of the model's logits.
        eos: the end token.
        device: where its tensors live; the model's.
    """

    def __init__(self, vocab_size: int, eos: int, device: torch.device | str = "cpu") -> None:
        if not 0 <= eos < vocab_size:
            raise UsageError(f"eos is {eos}; expected a token id below the vocabulary's size, {vocab_size}.")
        self.vocab_size = vocab_size
        self.eos = eos
        self.device = torch.device(device)

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query; a prefix leaves everything legal.

        Raises:
            UsageError: a filter is given; free text stands for no documents.
        """
        if filters is not None and any(entry is not None for entry in filters):
            raise UsageError(
                "NoConstraint knows no documents, so it cannot filter by them; use a TrieConstraint."
            )
        return torch.zeros(queries, dtype=torch.int64, device=self.device)

    def successors(self, state: State, size: int | None = None) -> Successors:
        """Everything, for each of the rows of `state`."""
        empty = no_edges(self.device)
        return Successors(empty, empty, payload=len(state), everything=True)

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The state of a free text is the same everywhere."""
        return torch.zeros(len(edges), dtype=torch.int64, device=self.device)

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """No documents for any row."""
        return Documents(
            torch.zeros(len(state) + 1, dtype=torch.int64, device=self.device), no_edges(self.device)
        )
