"""One constraint after another, with a separator between: a title and a section, or several docids in a row.

Knows where one part ends and the next begins; knows nothing of what the parts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genret.constraint.compose import sorted_documents
from genret.constraint.protocol import Constraint, Documents, State, Successors
from genret.constraint.ragged_tensors import offsets_of, row_numbers, spans
from genret.errors import InputError, UsageError

__all__ = ["SequenceConstraint"]

INSIDE, NEXT_PART, END = 0, 1, 2


@dataclass(frozen=True)
class Group:
    """Rows that are inside one part: `state` of part `part`, whose rows are the rows int64 [n] of the whole."""

    part: int
    state: State
    rows: Tensor


@dataclass(frozen=True)
class SequenceState:
    """The rows inside parts, and the documents of the parts that each row has passed; finished rows are in none."""

    groups: list[Group]
    collected: Documents
    count: int

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class Moves:
    """What `advance` needs of every entry, int64 [m] each: its row, group, edge in the group, and kind of move."""

    state: SequenceState
    found: list[Successors]
    rows: Tensor
    groups: Tensor
    edges: Tensor
    kinds: Tensor


class SequenceConstraint:
    """Parts in order, the separator where a part would end, and the end token after the last.

    With the same trie several times and `at_least=1` this is multi-identifier output: up to as many docids as
    parts, for a query that needs several passages. A finished sequence stands for the documents of all its
    parts.

    Args:
        constraints: the parts, on one device, all with the end token `eos`.
        separator: the token between two parts; no part may allow it inside.
        eos: the end token.
        at_least: after how many parts the sequence may end; all of them when not given.
    """

    def __init__(
        self, constraints: Sequence[Constraint], separator: int, eos: int, at_least: int | None = None
    ) -> None:
        self.constraints = list(constraints)
        self.separator, self.eos = separator, eos
        self.at_least = len(self.constraints) if at_least is None else at_least
        if not 1 <= self.at_least <= len(self.constraints):
            raise UsageError(
                f"at_least is {at_least}; expected 1 to the number of parts, {len(self.constraints)}."
            )
        if separator == eos:
            raise UsageError(f"the separator is the end token ({eos}); expected another token.")

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query, in the first part.

        Raises:
            UsageError: a prefix or a filter is given. `beam_search(prefixes=...)` forces prefixes by itself.
        """
        given = [*(prefixes or ()), *(entry for entry in filters or () if entry is not None)]
        if any(len(entry) for entry in given):
            raise UsageError(
                "a SequenceConstraint takes no prefixes and filters; give them to the search, or to its parts."
            )
        first = self.constraints[0].start(queries)
        device = self.constraints[0].successors(first).offsets.device
        rows = torch.arange(queries, device=device)
        none = Documents(rows.new_zeros(queries + 1), rows[:0])
        return SequenceState([Group(0, first, rows)], none, queries)

    def successors(self, state: State, size: int | None = None) -> Successors:
        """What each row's part allows, with the separator where it may end.

        Raises:
            InputError: a part allows the separator inside.
            UsageError: a part allows everything.
        """
        found = [self.constraints[group.part].successors(group.state) for group in state.groups]
        columns = list(self._moves(state, found)) or [torch.zeros((5, 0), dtype=torch.int64)]
        rows, tokens, groups, edges, kinds = torch.cat(columns, 1).to(state.collected.offsets.device)
        width = int(tokens.max()) + 1 if len(tokens) else 1
        order = (rows * width + tokens).argsort()
        counts = torch.bincount(rows, minlength=state.count)
        payload = Moves(state, found, rows[order], groups[order], edges[order], kinds[order])
        return Successors(offsets_of(counts), tokens[order], payload)

    def _moves(self, state: SequenceState, found: list[Successors]) -> Iterator[Tensor]:
        """Rows, tokens, groups, edges and kinds of all entries, int64 [5, n] each."""
        for number, (group, part) in enumerate(zip(state.groups, found, strict=True)):
            if part.everything:
                raise UsageError("a part that allows everything never ends; give the text a constraint.")
            # A separator inside would be read as the end of the part: two sequences could not be told apart.
            if bool((part.tokens == self.separator).any()):
                raise InputError(
                    f"the separator ({self.separator}) is also a token inside part {group.part}."
                )
            rows = group.rows[row_numbers(part.offsets, len(part.tokens))]
            edges = torch.arange(len(rows), device=rows.device)
            ends = part.tokens == self.eos
            inside = ~ends
            yield _columns(rows[inside], part.tokens[inside], number, edges[inside], INSIDE)
            rows, edges = rows[ends], edges[ends]
            if group.part + 1 < len(self.constraints):
                yield _columns(rows, torch.full_like(rows, self.separator), number, edges, NEXT_PART)
            if group.part + 1 >= self.at_least:
                yield _columns(rows, torch.full_like(rows, self.eos), number, edges, END)

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """Rows move inside their part, or on to the next with the documents of the one that they leave."""
        moves: Moves = successors.payload
        groups: list[Group] = []
        rows, numbers = [], []
        for number, group in enumerate(moves.state.groups):
            mine, part = moves.groups[edges] == number, self.constraints[group.part]
            for kind in (INSIDE, NEXT_PART, END):
                places = (mine & (moves.kinds[edges] == kind)).nonzero().squeeze(1)
                if not len(places):
                    continue
                moved = part.advance(moves.found[number], moves.edges[edges[places]])
                # Still in its part: it stands for no documents yet.
                if kind == INSIDE:
                    groups.append(Group(group.part, moved, places))
                    continue
                found = part.documents(moved)
                rows.append(places[row_numbers(found.offsets, len(found.documents))])
                numbers.append(found.documents)
                if kind == NEXT_PART:
                    groups.append(
                        Group(group.part + 1, self.constraints[group.part + 1].start(len(places)), places)
                    )
        # What a row has collected follows it to the rows that continue it.
        old = moves.state.collected
        begins = old.offsets[moves.rows[edges]]
        places, _, kept = spans(begins, old.offsets[moves.rows[edges] + 1] - begins)
        rows, numbers = [kept, *rows], [old.documents[places], *numbers]
        collected = sorted_documents(torch.cat(rows), torch.cat(numbers), len(edges), None)
        return SequenceState(groups, collected, len(edges))

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """The documents of all parts of finished rows, in passage order, each once."""
        finished = torch.ones(state.count, dtype=torch.bool, device=state.collected.offsets.device)
        # Whoever is still in a part has not ended.
        for group in state.groups:
            finished[group.rows] = False
        rows = row_numbers(state.collected.offsets, len(state.collected.documents))
        kept = finished[rows]
        return sorted_documents(rows[kept], state.collected.documents[kept], state.count, limit)


def _columns(rows: Tensor, tokens: Tensor, group: int, edges: Tensor, kind: int) -> Tensor:
    return torch.stack([rows, tokens, torch.full_like(rows, group), edges, torch.full_like(rows, kind)])
