"""Rows of an engine's batch, changed at random, against lists of their tokens that are walked from the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTrie
from genret.constraint import Automaton, NgramAutomaton, PrefixStates, Subset, TrieAutomaton, build_subset
from genret.errors import UsageError
from tests.genret.constraint.test_fm_constraint import CORPORA, expected, make

EOS = 1
VOCAB = 37  # two words of a bitmask, the second for the most part past the end
ALPHABET = [0, 2, 3, 31, 32, 36]
DOCIDS = st.lists(st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=4), max_size=10)
REWIND = 3
Following = Callable[[list[int]], list[int]]


@pytest.fixture(scope="module", autouse=True)
def masks_are_kept() -> Iterator[None]:
    """Of places where more than one token may come, and of two of them: so that masks are kept, used and forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genret.constraint.prefix_states.WIDE", 1)
        patch.setattr("genret.constraint.prefix_states.MASKS", 2)
        yield


class Lists:
    """The slow twin: the tokens of each row, and how many of them may be taken back."""

    def __init__(self, following: Following) -> None:
        self.following = following
        self.rows: dict[int, list[int]] = {}
        self.kept: dict[int, int] = {}

    def alive(self, tokens: list[int]) -> bool:
        return all(token in self.following(tokens[:place]) for place, token in enumerate(tokens))

    def allowed(self, row: int) -> list[int]:
        tokens = self.rows[row]
        return (self.following(tokens) if self.alive(tokens) else []) or [EOS]


def bits(words: np.ndarray[Any, Any]) -> list[int]:
    return [v for v in range(32 * len(words)) if int(words[v // 32]) >> (v % 32) & 1]


def check_rows(states: PrefixStates, lists: Lists, random: Random) -> None:
    rows = random.choices(sorted(lists.rows), k=len(lists.rows) + 1) if lists.rows else []
    values, offsets = states.allowed(rows)
    out = np.full((len(rows), 2), -7, np.int32)
    states.fill_bitmask(rows, out)
    for place, row in enumerate(rows):
        allowed = lists.allowed(row)
        assert values[offsets[place] : offsets[place + 1]].tolist() == allowed
        assert bits(out[place]) == allowed
    row = random.randrange(13)
    # No row but these, and of these no token more than may be taken back.
    with pytest.raises(UsageError, match=f"row {row}: "):
        states.rewind([row], [lists.kept.get(row, -1) + 1])


def add(states: PrefixStates, lists: Lists, random: Random) -> None:
    rows = random.sample(range(9), random.randint(0, 4))
    prefixes = [[random.choice([*ALPHABET[1:3], EOS]) for _ in range(random.randint(0, 2))] for _ in rows]
    alive = states.add(rows, prefixes)
    for row, prefix in zip(rows, prefixes, strict=True):
        lists.rows[row], lists.kept[row] = prefix, 0
    assert alive.tolist() == [lists.alive(prefix) for prefix in prefixes]


def remove(states: PrefixStates, lists: Lists, random: Random) -> None:
    rows = random.sample(sorted(lists.rows), random.randint(0, min(2, len(lists.rows))))
    states.remove(rows)
    for row in rows:
        del lists.rows[row], lists.kept[row]


def move(states: PrefixStates, lists: Lists, random: Random) -> None:
    """Moves, swaps, rotations, copies, and onto rows in use."""
    targets = random.sample(range(12), random.randint(0, 4)) if lists.rows else []
    sources = random.choices(sorted(lists.rows), k=len(targets)) if targets else []
    states.move(sources, targets)
    taken = [(list(lists.rows[row]), lists.kept[row]) for row in sources]
    for row in set(sources):
        del lists.rows[row], lists.kept[row]
    for row, (tokens, kept) in zip(targets, taken, strict=True):
        lists.rows[row], lists.kept[row] = list(tokens), kept


def advance(states: PrefixStates, lists: Lists, random: Random) -> None:
    rows = random.sample(sorted(lists.rows), random.randint(0, len(lists.rows)))
    wild = [random.random() < 0.15 for _ in rows]
    tokens = [
        random.choice([*ALPHABET, EOS, 5, 999]) if w else random.choice(lists.allowed(r))
        for r, w in zip(rows, wild, strict=True)
    ]
    legal = states.advance(rows, tokens)
    for row, token in zip(rows, tokens, strict=True):
        lists.rows[row].append(token)
        lists.kept[row] = min(lists.kept[row] + 1, REWIND)
    assert legal.tolist() == [lists.alive(lists.rows[row]) for row in rows]


def speculate(states: PrefixStates, lists: Lists, random: Random) -> None:
    """Several tokens, and some of them, with those before, taken back."""
    for _ in range(random.randint(0, 3)):
        advance(states, lists, random)
    rows = random.sample(sorted(lists.rows), random.randint(0, len(lists.rows)))
    counts = [random.randint(0, lists.kept[row]) for row in rows]
    states.rewind(rows, counts)
    for row, count in zip(rows, counts, strict=True):
        lists.rows[row] = lists.rows[row][: len(lists.rows[row]) - count]
        lists.kept[row] -= count


def check(automaton: Automaton, following: Following, random: Random) -> None:
    states, lists = PrefixStates(automaton, VOCAB, max_rewind=REWIND), Lists(following)
    for operation in [add, *random.choices([add, remove, move, advance, advance, speculate], k=12)]:
        operation(states, lists, random)
        check_rows(states, lists, random)
    # A row is found again from its tokens alone, without what it was before.
    rows = sorted(lists.rows)
    again = PrefixStates(automaton, VOCAB)
    again.add(rows, [lists.rows[row] for row in rows])
    check_rows(again, lists, random)


def check_docids(docids: list[list[int]], random: Random) -> None:
    check_living(docids, DocidTrie.build(docids, EOS), None, random)


def check_living(docids: list[list[int]], trie: DocidTrie, subset: Subset | None, random: Random) -> None:
    ended = [[*docid, EOS] for docid in docids]

    def following(prefix: list[int]) -> list[int]:
        size = len(prefix)
        return sorted({docid[size] for docid in ended if docid[:size] == prefix and len(docid) > size})

    check(TrieAutomaton(trie, subset), following, random)


@given(DOCIDS, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_docids(docids: list[list[int]], random: Random) -> None:
    check_docids(docids, random)


@given(DOCIDS, st.data(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_docids_of_some_documents(docids: list[list[int]], data: st.DataObject, random: Random) -> None:
    """A condition lets some through, and of these some were removed; several documents may have one docid."""
    flags = st.lists(st.booleans(), min_size=len(docids), max_size=len(docids))
    wanted, removed = (np.array(data.draw(flags), bool) for _ in range(2))
    trie = DocidTrie.build(docids, EOS)
    subset = build_subset(trie, np.flatnonzero(wanted), removed)
    living = [docid for docid, kept in zip(docids, wanted & ~removed, strict=True) if kept]
    check_living(living, trie, subset, random)


@pytest.mark.parametrize("shards", [1, 2])
@given(
    CORPORA,
    st.fixed_dictionaries(
        {
            "at_start": st.booleans(),
            "end_tokens": st.sampled_from([[], [3]]),
            "stop_count": st.integers(0, 2),
            "finishes": st.booleans(),
        }
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_ngrams(shards: int, documents: list[list[int]], options: dict[str, Any], random: Random) -> None:
    def following(prefix: list[int]) -> list[int]:
        return expected(documents, prefix, options)

    check(NgramAutomaton(make(documents, shards), EOS, **options), following, random)


@pytest.mark.soak
@given(DOCIDS, st.randoms(use_true_random=False))
@settings(max_examples=2000, deadline=None)
def test_docids_in_long(docids: list[list[int]], random: Random) -> None:
    check_docids(docids, random)
