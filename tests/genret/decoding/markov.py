"""A backbone that is a table: the next token depends on the query and the last token, nothing else.

Every probability of a sequence can be worked out on paper, and no weights are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EOS = 1
A, B, C, X, Y, Z = 2, 3, 4, 5, 6, 7
# What `two_steps` can say.
PAIRS = [[A, X], [A, Y], [A, Z], [B, X], [B, Y], [C, X]]


class Queries(tuple[int, ...]):
    """Numbers of queries, as a backbone's `encode` would return them."""

    def select(self, rows: Tensor) -> Queries:
        """Some of them."""
        return Queries(self[row] for row in rows.tolist())


@dataclass(frozen=True)
class MarkovState:
    """The query of each row, and what was fed last."""

    queries: Tensor


class MarkovBackbone:
    """`tables`: float [queries, V + 1, V]; row V of a query is the distribution of the first token.

    Hidden states are one-hot rows of the flattened table, so that `logits` is a look-up; `fed` counts the rows
    that went through `step`.
    """

    feeds_several = True

    def __init__(self, tables: Tensor, eos: int = EOS) -> None:
        self.tables = tables.float()
        self.vocab_size = tables.shape[2]
        self.eos_token_id = eos
        self.pad_token_id = 0
        self.fed = 0

    @property
    def device(self) -> torch.device:
        return self.tables.device

    def start(self, encoded: Sequence[int]) -> tuple[Tensor, MarkovState]:
        queries = torch.tensor(list(encoded), dtype=torch.int64)
        return self._hidden(queries, torch.full_like(queries, self.vocab_size)), MarkovState(queries)

    def step(
        self, state: MarkovState, tokens: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, MarkovState]:
        self.fed += tokens.numel()
        queries = state.queries if tokens.dim() == 1 else state.queries[:, None].expand_as(tokens)
        return self._hidden(queries, tokens), state

    def _hidden(self, queries: Tensor, last: Tensor) -> Tensor:
        return torch.stack([queries, last], -1)

    def logits(self, hidden: Tensor, tokens: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        rows = self.tables[hidden[..., 0], hidden[..., 1]]
        rows = rows if tokens is None else rows[..., tokens]
        return rows if out is None else out.copy_(rows)

    def reorder(self, state: MarkovState, rows: Tensor, rows_per_query: int | None = None) -> MarkovState:
        return MarkovState(state.queries[rows])

    def target_logits(self, encoded: Sequence[int], targets: Tensor) -> Tensor:
        """The teacher-forced twin of start and step: float [queries, T, V]."""
        queries = torch.tensor(list(encoded), dtype=torch.int64)[:, None].expand_as(targets)
        last = torch.cat([torch.full_like(targets[:, :1], self.vocab_size), targets[:, :-1]], 1)
        return self.tables[queries, last]


def random_markov(queries: int, vocab_size: int, seed: int) -> MarkovBackbone:
    generator = torch.Generator().manual_seed(seed)
    return MarkovBackbone(torch.randn(queries, vocab_size + 1, vocab_size, generator=generator) * 2)


def two_steps() -> MarkovBackbone:
    """First a .5, b .3, c .2; then a: x .34, y .335, z .325; b: x .5, y .5; c: x; every pair then ends."""
    table = torch.full((1, 9, 8), -torch.inf)
    table[0, 8, [A, B, C]] = torch.tensor([0.5, 0.3, 0.2]).log()
    table[0, A, [X, Y, Z]] = torch.tensor([0.34, 0.335, 0.325]).log()
    table[0, B, [X, Y]] = torch.tensor([0.5, 0.5]).log()
    table[0, C, X] = 0.0
    table[0, [X, Y, Z], EOS] = 0.0
    return MarkovBackbone(table)
