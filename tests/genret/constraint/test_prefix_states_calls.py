"""The interface for engines of others: its layout, what it refuses, and that it needs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from docid import DocidTrie
from fm_index import FMIndex
from genret.constraint import NgramAutomaton, PrefixStates, TrieAutomaton
from genret.errors import InputError, UsageError

EOS = 1


def states(vocab_size: int = 70, max_rewind: int = 2) -> PrefixStates:
    trie = DocidTrie.build([[2, 31], [2, 32, 63], [69]], EOS)
    return PrefixStates(TrieAutomaton(trie), vocab_size, max_rewind=max_rewind)


def test_the_layout_of_the_words() -> None:
    rows = states()
    rows.add([4, 0], [[2], []])
    out = np.full((3, 3), -1, np.int32)
    rows.fill_bitmask([4, 0, 4], out)
    assert out.tolist() == [[-(1 << 31), 1, 0], [1 << 2, 0, 1 << 5], [-(1 << 31), 1, 0]]
    part = np.zeros((2, 6), np.int32)[:, ::2]
    rows.fill_bitmask([4, 0], part)
    assert part.tolist() == out[:2].tolist()


def test_a_dead_row_is_told_and_may_only_end_until_it_is_rewound() -> None:
    rows = states()
    rows.add([0])
    assert rows.advance([0], [2]).tolist() == [True]
    assert rows.advance([0], [69]).tolist() == [False]
    assert rows.allowed([0]).values.tolist() == [EOS]
    assert rows.advance([0], [EOS]).tolist() == [False]
    rows.rewind([0], [2])
    assert rows.allowed([0]).values.tolist() == [31, 32]


def test_the_end_token_comes_where_a_docid_ends_and_nothing_after_it() -> None:
    rows = states()
    assert rows.add([0], [[2, 32]]).tolist() == [True]
    assert rows.allowed([0]).values.tolist() == [63]
    rows.advance([0], [63])
    assert rows.allowed([0]).values.tolist() == [EOS]
    assert rows.advance([0], [EOS]).tolist() == [True]
    assert rows.allowed([0]).values.tolist() == [EOS]
    assert rows.advance([0], [2]).tolist() == [False]


def short(rows: PrefixStates) -> None:
    rows.fill_bitmask([0], np.zeros((1, 2), np.int32))


def wide(rows: PrefixStates) -> None:
    rows.fill_bitmask([0], np.zeros((1, 3), np.int64))


REFUSED: list[tuple[Callable[[PrefixStates], object], str]] = [
    (lambda rows: rows.advance([5], [2]), "row 5: no such row"),
    (lambda rows: rows.allowed([-1]), "row -1: no such row"),
    (lambda rows: rows.remove([1]), "row 1: no such row"),
    (lambda rows: rows.advance([0, 0], [2, 2]), "row 0 comes twice"),
    (lambda rows: rows.move([0, 0], [3, 3]), "row 3 comes twice"),
    (lambda rows: rows.add([-2]), "row -2: expected numbers from 0"),
    (lambda rows: rows.add([1], [[2], [2]]), "2 prefixes for 1 rows"),
    (lambda rows: rows.advance([0], [2, 31]), "2 tokens for 1 rows"),
    (lambda rows: rows.rewind([0], [3]), "row 0: cannot take 3 tokens back, expected 0 to 2"),
    (lambda rows: rows.rewind([0], [-1]), "row 0: cannot take -1 tokens back"),
    (short, r"out is int32 \[1, 2\]; expected int32 \[1, 3\]"),
    (wide, r"out is int64 \[1, 3\]"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_it_refuses_changes_nothing(call: Callable[[PrefixStates], object], message: str) -> None:
    rows = states()
    rows.add([0])
    for token in (2, 32, 63):
        rows.advance([0], [token])
    with pytest.raises(UsageError, match=message):
        call(rows)
    assert rows.allowed([0]).values.tolist() == [EOS]
    rows.rewind([0], [2])
    assert rows.allowed([0]).values.tolist() == [31, 32]


def test_sets_made_for_another_model_are_refused() -> None:
    with pytest.raises(UsageError, match="token 69 of the set is outside the vocabulary of 69"):
        states(vocab_size=69)
    index = FMIndex.from_documents([[2, 3]])
    with pytest.raises(UsageError, match="token 50 of the set"):
        PrefixStates(NgramAutomaton(index, 50), 50)
    with pytest.raises(InputError, match="token 3, which ends"):
        NgramAutomaton(index, 3)
    with pytest.raises(UsageError, match="max_rewind is -1"):
        states(max_rewind=-1)


def test_it_needs_no_torch() -> None:
    program = (
        "import sys; from genret.constraint import NgramAutomaton, PrefixStates, TrieAutomaton;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
