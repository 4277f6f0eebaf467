"""Constraints that are made from what a caller has at hand: a list of strings, or a function.

Knows a tokenizer's ids; knows nothing of documents but their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from docid.trie import DocidTrie
from genret.constraint.protocol import Documents, State, Successors
from genret.constraint.ragged_tensors import offsets_of
from genret.constraint.trie_constraint import TrieConstraint
from genret.errors import InputError, UsageError
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["FunctionConstraint", "from_strings"]

Prefix = tuple[int, ...]


def from_strings(
    strings: Sequence[str], tokenizer: Tokenizer, eos: int, device: torch.device | str = "cpu"
) -> TrieConstraint:
    """Only these strings come out, in the tokenizer's own spelling; document number = position in the list.

    Args:
        strings: may repeat.
        tokenizer: of Hugging Face; special tokens are left out.
        eos: the end token.
        device: the model's.

    Raises:
        InputError: a string has no tokens.
    """
    ids = text_ids(tokenizer, strings)
    for place, row in enumerate(ids):
        if not row:
            raise InputError(f"string {place} ({strings[place]!r}) has no tokens; leave it out.")
    return TrieConstraint(DocidTrie.build(ids, eos), device)


@dataclass(frozen=True)
class _Prefixes:
    """The state of a `FunctionConstraint`: the prefix of each row."""

    rows: list[Prefix]

    def __len__(self) -> int:
        return len(self.rows)


class FunctionConstraint:
    """Whatever a function allows. It is asked once a row and step, in Python: for small sets and for trials.

    Args:
        successors: from a prefix (a tuple of token ids) to the tokens that may follow, the end token among them
            where the sequence may end.
        eos: the end token.
        documents: from a finished sequence, without its end token, to document numbers; none when not given.
        device: the model's.
    """

    def __init__(
        self,
        successors: Callable[[Prefix], Iterable[int]],
        eos: int,
        documents: Callable[[Prefix], Iterable[int]] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.eos = eos
        self.device = torch.device(device)
        self._successors = successors
        self._documents = documents

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query, after its prefix.

        Raises:
            UsageError: a filter is given; the function decides alone.
        """
        if filters is not None and any(entry is not None for entry in filters):
            raise UsageError("a FunctionConstraint cannot filter by documents; let its function decide.")
        return _Prefixes([tuple(prefix) for prefix in prefixes] if prefixes is not None else [()] * queries)

    def successors(self, state: State, size: int | None = None) -> Successors:
        """What the function says of each row, sorted; nothing after the end token."""
        rows = [self._after(prefix) for prefix in state.rows]
        counts = torch.tensor([len(row) for row in rows], dtype=torch.int64, device=self.device)
        tokens = torch.tensor([t for row in rows for t in row], dtype=torch.int64, device=self.device)
        longer = [(*prefix, t) for prefix, row in zip(state.rows, rows, strict=True) for t in row]
        return Successors(offsets_of(counts), tokens, payload=longer)

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The prefixes behind the entries."""
        return _Prefixes([successors.payload[edge] for edge in edges.tolist()])

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """What the documents function says of finished rows, sorted."""
        rows = [self._documents_of(prefix)[:limit] for prefix in state.rows]
        counts = torch.tensor([len(row) for row in rows], dtype=torch.int64, device=self.device)
        numbers = torch.tensor([n for row in rows for n in row], dtype=torch.int64, device=self.device)
        return Documents(offsets_of(counts), numbers)

    def _after(self, prefix: Prefix) -> list[int]:
        if prefix and prefix[-1] == self.eos:
            return []
        return sorted(set(self._successors(prefix)))

    def _documents_of(self, prefix: Prefix) -> list[int]:
        if self._documents is None or not prefix or prefix[-1] != self.eos:
            return []
        return sorted(set(self._documents(prefix[:-1])))
