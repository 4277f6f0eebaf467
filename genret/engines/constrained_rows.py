"""The rows of an engine that have a constraint: many sets side by side, each asked once a step for all its rows.

Knows token ids, requests and sets; knows no engine, no model and no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from docid.ragged import IntArray, Ragged
from docid.trie import DocidTrie
from genret.constraint.prefix_states import Automaton, PrefixStates, TrieAutomaton
from genret.engines.asked_constraint import Asked
from genret.engines.named_sets import Sets
from genret.engines.served_model import ServedModel
from genret.errors import ArtefactError, InputError, UsageError

__all__ = ["UNSERVABLE", "Legal", "Row", "Rows"]

# What `Rows.check` raises, each a sentence.
UNSERVABLE = (InputError, ArtefactError, UsageError, OSError)


class Legal(NamedTuple):
    """What rows of one set may emit next.

    Attributes:
        places: int64 [n]; which of the rows that were asked about.
        lists: lists of tokens, ascending, one for all rows that stand at the same place; none is empty.
        list_of: int64 [n]; the list of each of `places`.
    """

    places: IntArray
    lists: Ragged
    list_of: IntArray


@dataclass(eq=False)
class _Group:
    """The rows of one set."""

    automaton: Automaton
    states: PrefixStates
    free: list[int] = field(default_factory=list)
    used: int = 0

    def take(self) -> int:
        """A number that no row has."""
        if self.free:
            return self.free.pop()
        self.used += 1
        return self.used - 1


@dataclass(eq=False)
class Row:
    """One row, from `Rows.begin` to `Rows.end`; a handle."""

    group: _Group
    number: int


class Rows:
    """All rows with a constraint.

    Args:
        sets: what requests name.
        vocab_size: V, how many tokens the model's output has.
        eos: the model's end token; None where the engine does not say.
        warn: told, in a sentence, of a request that cannot be served though it was let in.
        max_rewind: how many drafted tokens of a row can be taken back.
    """

    def __init__(
        self,
        sets: Sets,
        vocab_size: int,
        eos: int | None,
        warn: Callable[[str], None],
        max_rewind: int = 16,
    ) -> None:
        self.sets, self.vocab_size, self.eos, self.warn = sets, vocab_size, eos, warn
        self.max_rewind = max_rewind
        self._groups: dict[int, _Group] = {}
        end = 0 if eos is None else eos
        self._nothing = TrieAutomaton(DocidTrie.build([], end))

    def check(self, asked: Asked, max_tokens: int | None = None) -> None:
        """Whether a request can be served by this model; see `Sets.check`.

        Raises:
            UNSERVABLE: it cannot.
        """
        self.sets.check(asked, ServedModel(self.vocab_size), max_tokens=max_tokens)

    def begin(self, asked: Asked, prefix: Sequence[int]) -> Row:
        """A row behind the docid's tokens that are there already.

        One whose set has gone since its request was let in may emit the end token alone: to raise here would end the
        engine, and with it everyone's requests.
        """
        try:
            group = self._group(self.sets.automaton(asked, self.eos))
        except UNSERVABLE as error:
            self.warn(f"constraint {asked.constraint!r}: {error} This request ends without a docid.")
            group = self._group(self._nothing)
        return self._row(group, prefix)

    def refuse(self, reason: str) -> Row:
        """A row that may emit the end token alone, with a warning that says why."""
        self.warn(f"{reason} This request ends without a docid.")
        return self._row(self._group(self._nothing), [])

    def copy(self, row: Row) -> Row:
        """Another row behind the same tokens."""
        made = Row(row.group, row.group.take())
        row.group.states.move([row.number, row.number], [row.number, made.number])
        return made

    def again(self, rows: Sequence[Row], prefixes: Sequence[Sequence[int]]) -> None:
        """Put rows behind these tokens, whatever they were behind."""
        for row, prefix in zip(rows, prefixes, strict=True):
            row.group.states.add([row.number], [prefix])

    def end(self, row: Row) -> None:
        """Give a row up."""
        group = row.group
        group.states.remove([row.number])
        group.free.append(row.number)
        if len(group.free) == group.used:
            del self._groups[id(group.automaton)]

    def follow(self, rows: Sequence[Row], tokens: Sequence[Sequence[int]]) -> list[int]:
        """Move each row (each once) by the tokens that it emitted; one call a set for each token.

        Returns:
            the places of the rows that had a token, not the end token, that was not legal.
        """
        wrong: set[int] = set()
        for step in range(max(map(len, tokens), default=0)):
            moved = [place for place, own in enumerate(tokens) if len(own) > step]
            for group, members in _grouped([rows[place] for place in moved]):
                places = [moved[member] for member in members]
                told = [tokens[place][step] for place in places]
                right = group.states.advance([rows[place].number for place in places], told)
                if not right.all():
                    end = group.automaton.eos
                    wrong.update(
                        place
                        for place, token, ok in zip(places, told, right, strict=True)
                        if not ok and token != end
                    )
        return sorted(wrong)

    def back(self, row: Row, count: int) -> None:
        """Take a row's last tokens back, at most `max_rewind` of them."""
        row.group.states.rewind([row.number], [count])

    def allowed(self, rows: Sequence[Row]) -> Iterator[Legal]:
        """What each of `rows` may emit next, set by set; no row is without."""
        for group, members in _grouped(rows):
            lists, list_of = group.states.distinct_allowed([rows[member].number for member in members])
            yield Legal(np.array(members, np.int64), lists, list_of)

    def _row(self, group: _Group, prefix: Sequence[int]) -> Row:
        row = Row(group, group.take())
        group.states.add([row.number], [prefix])
        return row

    def _group(self, automaton: Automaton) -> _Group:
        found = self._groups.get(id(automaton))
        if found is None:
            # The group holds its automaton, so that no other gets its id meanwhile.
            states = PrefixStates(automaton, self.vocab_size, max_rewind=self.max_rewind)
            found = self._groups[id(automaton)] = _Group(automaton, states)
        return found


def _grouped(rows: Sequence[Row]) -> Iterator[tuple[_Group, list[int]]]:
    """The places of rows of each set."""
    members: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        members.setdefault(id(row.group), []).append(place)
    for places in members.values():
        yield rows[places[0]].group, places
