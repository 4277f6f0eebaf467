"""Docids that are texts against a spelling of one after the other, and strings in arrays against a dict."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from docid import DocidTable
from docid import strings as docid_strings
from docid.ragged import as_ragged, first_equals
from docid.strategies.spelling import Equal, spelled
from docid.strings import SortedStrings, fault_in_keys

TEXTS = st.lists(
    st.sampled_from(["a", "A", "b", "a (2)", "A (2)", "a (3)", "", "?", "  a ", "untitled 1", "a\0b"])
)


def tokenize(texts: Sequence[str]) -> list[list[int]]:
    """Letters without case; a question mark is nothing."""
    return [[ord(letter) for letter in text.lower() if letter != "?"] for text in texts]


def one_by_one(
    texts: list[str], given: dict[str, list[int]], equal: Equal
) -> tuple[list[str], list[list[int]]]:
    """Rounds of rows; in each, those equal to one before them get the next number that no string has."""
    strings = [" ".join(text.replace("\0", " ").split()) for text in texts]
    numbers = [int(text[9:]) for text in given if text.startswith("untitled ") and text[9:].isdecimal()]
    first = max([len(given), *(number + 1 for number in numbers)])
    strings = [
        text if text and tokenize([text])[0] else f"untitled {first + row}"
        for row, text in enumerate(strings)
    ]
    stems, taken = list(strings), {*strings, *given}
    counts: dict[str, int] = {}
    while equal == "suffix":
        seen = [tokenize([text])[0] for text in given]
        later = []
        for row, sequence in enumerate(tokenize(strings)):
            later += [row] if sequence in seen else []
            seen.append(sequence)
        if not later:
            break
        for row in later:
            stem = stems[row].lower()
            while strings[row] in taken:
                counts[stem] = counts.get(stem, 1) + 1
                strings[row] = f"{stems[row]} ({counts[stem]})"
            taken.add(strings[row])
    return strings, tokenize(strings)


@given(TEXTS, TEXTS, st.sampled_from(["share", "suffix"]))
@example(["a"] * 30, ["a"] * 30, "suffix")
@settings(max_examples=200, deadline=None)
def test_texts_are_spelled_as_one_by_one(before: list[str], texts: list[str], equal: Equal) -> None:
    nothing = DocidTable.build([], [])
    had, had_sequences = one_by_one(before, {}, "suffix")
    found = spelled(before, tokenize, nothing, "suffix")
    assert (list(found.strings), _rows(found.sequences)) == (had, had_sequences)
    table = DocidTable.build(*found)
    more = spelled(texts, tokenize, table, equal)
    given = dict(zip(had, had_sequences, strict=True))
    assert (list(more.strings), _rows(more.sequences)) == one_by_one(texts, given, equal)


def _rows(sequences: object) -> list[list[int]]:
    rows = as_ragged(sequences)  # type: ignore[arg-type]
    return [row.tolist() for row in np.split(rows.values, rows.offsets[1:-1])] if rows.num_rows else []


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 70_000]), max_size=8), max_size=20))
def test_the_first_row_that_is_equal(rows: list[list[int]]) -> None:
    assert first_equals(as_ragged(rows)).tolist() == [rows.index(row) for row in rows]


@given(st.lists(st.text(st.sampled_from("ab é東"), min_size=1, max_size=2), max_size=20), st.integers(1, 3))
def test_distinct_strings_whose_hashes_collide(texts: list[str], hashes: int) -> None:
    """All have one of a few hashes, so that runs of one hash are of equal and of different strings."""
    with patch.object(docid_strings, "hash_of", lambda data: sum(data) % hashes):
        keys, numbers = SortedStrings.build(texts)
        assert fault_in_keys(keys) is None
        assert [keys.strings[number] for number in numbers.tolist()] == texts
        assert keys.find([*texts, "c"]).tolist() == [*numbers.tolist(), -1]
        assert len(keys) == len(set(texts))
