"""Decoding without a cache: every step computes whole sequences anew, without padding. Slow, and always right.

Knows rows of token ids; knows no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from genret.errors import InputError
from genret.models.exactness.decoding import Decoding, groups_of
from genret.models.exactness.paths import Paths

__all__ = ["FastWhileRight", "Uncached", "taught"]

# Hidden states [queries, T, d] that predict targets, int64 [queries, T], of encoded sources without padding.
Teach = Callable[[Any, Tensor], Tensor]


def taught(teach: Teach, encoded: Any, targets: Tensor, alone: bool) -> Tensor:
    """`teach` for sources of any lengths, group by group, so that it sees no padding; differentiable."""
    groups = groups_of(encoded.mask.sum(1).tolist(), alone)
    if not groups:
        return teach(encoded, targets)
    places = [torch.tensor(group, device=targets.device) for group in groups]
    parts = [teach(encoded.select(group).unpadded(), targets[group]) for group in places]
    return torch.cat(parts)[torch.cat(places).argsort()]


@dataclass(frozen=True)
class _Sequences:
    """Row r continues the source `queries[r]` of `encoded` with the tokens `tokens[r]`."""

    encoded: Any
    sources: tuple[int, ...]  # tokens of each source
    queries: tuple[int, ...]
    tokens: tuple[tuple[int, ...], ...]

    @classmethod
    def start(cls, encoded: Any) -> _Sequences:
        count = len(encoded)
        lengths = tuple(encoded.mask.sum(1).tolist())
        return cls(encoded, lengths, tuple(range(count)), ((),) * count)

    def grown(self, tokens: Tensor, lengths: Tensor | None) -> _Sequences:
        columns = tokens.shape[1]
        fed = [columns] * len(tokens) if lengths is None else lengths.tolist()
        new = zip(self.tokens, tokens.tolist(), fed, strict=True)
        return replace(self, tokens=tuple((*old, *row[columns - n :]) for old, row, n in new))

    def reordered(self, rows: list[int]) -> _Sequences:
        queries = tuple(self.queries[row] for row in rows)
        return replace(self, queries=queries, tokens=tuple(self.tokens[row] for row in rows))


class Uncached:
    """See `Decoding`.

    Args:
        teach: computes whole sequences.
        alone: each sequence is computed by itself; else those of equal source and equal length together.
    """

    def __init__(self, teach: Teach, alone: bool) -> None:
        self.teach, self.alone = teach, alone

    def start(self, encoded: Any) -> tuple[Tensor, _Sequences]:
        """See `Decoding`."""
        state = _Sequences.start(encoded)
        return self.last(state, 1)[:, 0], state

    def step(self, state: _Sequences, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, _Sequences]:
        """See `Decoding`."""
        state = state.grown(tokens, lengths)
        return self.last(state, tokens.shape[1]), state

    def reorder(self, state: _Sequences, rows: Tensor, rows_per_query: int | None) -> _Sequences:
        """See `Decoding`."""
        return state.reordered(rows.tolist())

    def last(self, state: _Sequences, count: int) -> Tensor:
        """The last `count` hidden states of each row, [rows, count, d], repeated before those of short rows."""
        device = state.encoded.mask.device
        spans = [(state.sources[q], len(row)) for q, row in zip(state.queries, state.tokens, strict=True)]
        numbers = {span: number for number, span in enumerate(dict.fromkeys(spans))}
        groups = groups_of([numbers[span] for span in spans], self.alone)
        parts = []
        for group in groups:
            # One more than was fed: what it predicts last is what comes next, whatever that is.
            targets = torch.tensor([[*state.tokens[row], 0] for row in group], device=device)
            queries = torch.tensor([state.queries[row] for row in group], device=device)
            hidden = self.teach(state.encoded.select(queries).unpadded(), targets)[:, -count:]
            missing = count - hidden.shape[1]
            parts.append(torch.cat([hidden[:, :1].expand(-1, missing, -1), hidden], 1))
        if not groups:
            return self.teach(state.encoded, torch.zeros((0, count), dtype=torch.int64, device=device))
        order = torch.tensor([row for group in groups for row in group], device=device)
        return torch.cat(parts)[order.argsort()]


@dataclass(frozen=True)
class _Watched:
    """`fast` is None once a row was met for which it is wrong."""

    fast: Any
    sequences: _Sequences


class FastWhileRight:
    """The fast decoding while it is right, whole sequences from there on; see `Decoding`.

    Args:
        fast: wrong for sequences with the `whole_tokens` of `paths`, and for those longer than its `reach`.
        whole: right for all.
    """

    def __init__(self, fast: Decoding, whole: Uncached, paths: Paths) -> None:
        self.fast, self.whole = fast, whole
        self.paths = paths
        self.tokens = frozenset(paths.whole_tokens)

    def start(self, encoded: Any) -> tuple[Tensor, _Watched]:
        """See `Decoding`."""
        sequences = _Sequences.start(encoded)
        if self._beyond(sequences):
            return self.whole.last(sequences, 1)[:, 0], _Watched(None, sequences)
        hidden, state = self.fast.start(encoded)
        return hidden, _Watched(state, sequences)

    def step(self, state: _Watched, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, _Watched]:
        """See `Decoding`."""
        sequences = state.sequences.grown(tokens, lengths)
        if state.fast is None or self._beyond(sequences):
            return self.whole.last(sequences, tokens.shape[1]), _Watched(None, sequences)
        hidden, fast = self.fast.step(state.fast, tokens, lengths)
        return hidden, _Watched(fast, sequences)

    def reorder(self, state: _Watched, rows: Tensor, rows_per_query: int | None) -> _Watched:
        """See `Decoding`."""
        fast = None if state.fast is None else self.fast.reorder(state.fast, rows, rows_per_query)
        return _Watched(fast, state.sequences.reordered(rows.tolist()))

    def _beyond(self, sequences: _Sequences) -> bool:
        found = False
        for query, tokens in zip(sequences.queries, sequences.tokens, strict=True):
            source, reach = sequences.sources[query], self.paths.reach
            if reach is not None and source + len(tokens) > reach:
                self._check(source, reach)
                found = True
            found |= not self.tokens.isdisjoint(tokens)
        return found

    def _check(self, source: int, reach: int) -> None:
        """Refuse a sequence that the model reads otherwise once it is longer.

        Raises:
            InputError: its score would depend on how far it has come.
        """
        if self.paths.beyond == "none" or (self.paths.beyond == "long prompts" and source <= reach):
            raise InputError(
                f"a prompt of {source} tokens and a docid are together longer than {reach} tokens, from which on this "
                "model's positions depend on the length of the whole sequence: the score of a beginning would change "
                "with what follows. Shorten the prompt (max_source_tokens)."
            )
