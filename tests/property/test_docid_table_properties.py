"""The table against two dicts."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from docid import DocidTable
from docid.strings import fault_in_keys

NEW = ["<a>", "<b>", "<c>"]
EOS = 9
STRINGS = st.text(st.sampled_from("ab é/東"), min_size=1, max_size=3)
SEQUENCES = st.lists(st.sampled_from([-3, -2, -1, 0, 5, 70_000]), min_size=1, max_size=4)
ROWS = st.lists(st.tuples(STRINGS, SEQUENCES), max_size=12)
REMOVED = st.sets(st.integers(0, 11))


def check_against_dicts(
    rows: list[tuple[str, list[int]]], later: int, removed: set[int], bind: bool, save: bool
) -> None:
    """`rows` in a table, the last `later` of them added to it afterwards, some removed."""
    removed = {document for document in removed if document < len(rows)}
    strings, sequences = [string for string, _ in rows], [sequence for _, sequence in rows]
    first = max(len(rows) - later, 0)
    table = DocidTable.build(strings[:first], sequences[:first], NEW)
    if bind:
        table = table.bind([100, 101, 102])
    table = table.extended(strings[first:], sequences[first:]).without(sorted(removed))
    if save:
        with tempfile.TemporaryDirectory() as folder:
            table.save(Path(folder) / "table")
            table = DocidTable.load(Path(folder) / "table")
    expected = [[99 - token if bind and token < 0 else token for token in sequence] for sequence in sequences]
    assert table.docids(range(len(rows))) == strings
    assert [table.sequence(document).tolist() for document in range(len(rows))] == expected
    by_string, by_sequence = defaultdict(list), defaultdict(list)
    for document in sorted(set(range(len(rows))) - removed):
        by_string[strings[document]].append(document)
        by_sequence[tuple(expected[document])].append(document)
    for string in [*strings, "nothing"]:
        assert table.documents(string).tolist() == by_string.get(string, [])
    if bind:
        trie = table.trie(EOS)
        assert all(trie.documents(sequence) == by_sequence.get(tuple(sequence), []) for sequence in expected)


@given(ROWS, st.integers(0, 5), REMOVED, st.booleans(), st.booleans())
@example([], 0, set(), True, True)
@settings(max_examples=150, deadline=None)
def test_it_equals_two_dicts(
    rows: list[tuple[str, list[int]]], later: int, removed: set[int], bind: bool, save: bool
) -> None:
    check_against_dicts(rows, later, removed, bind, save)


@pytest.mark.soak
@given(ROWS, st.integers(0, 5), REMOVED, st.booleans(), st.booleans())
@settings(max_examples=2000, deadline=None)
def test_it_equals_two_dicts_in_long(
    rows: list[tuple[str, list[int]]], later: int, removed: set[int], bind: bool, save: bool
) -> None:
    check_against_dicts(rows, later, removed, bind, save)


@given(ROWS, st.sets(st.integers(0, 11)), ROWS, REMOVED)
@settings(max_examples=150, deadline=None)
def test_some_documents_and_more_are_a_table_of_these(
    rows: list[tuple[str, list[int]]], kept: set[int], more: list[tuple[str, list[int]]], removed: set[int]
) -> None:
    """Array by array what `build` makes of them; what was removed of them stays so."""
    stay = sorted(row for row in kept if row < len(rows))
    gone = sorted(row for row in removed if row < len(rows))
    ids = [100, 101, 102]
    table = DocidTable.build(*split(rows), NEW).bind(ids).without(gone).only(np.array(stay, int))
    table = table.extended(*split(more))
    expected = DocidTable.build(*split([*(rows[row] for row in stay), *more]), NEW).bind(ids)
    expected = expected.without([place for place, row in enumerate(stay) if row in removed])
    assert [part.tolist() for part in table.arrays] == [part.tolist() for part in expected.arrays]
    assert [part.dtype for part in table.arrays] == [part.dtype for part in expected.arrays]
    found, wanted = table._keys, expected._keys
    assert found.strings[:] == wanted.strings[:]
    assert found.hashes.tolist() == wanted.hashes.tolist()
    assert fault_in_keys(found) is None


def split(rows: list[tuple[str, list[int]]]) -> tuple[list[str], list[list[int]]]:
    return [string for string, _ in rows], [sequence for _, sequence in rows]
