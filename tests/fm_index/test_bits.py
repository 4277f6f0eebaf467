"""Lists of tokens as bits, against bits set one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index.bits import BITS, fill_bits

WORDS = 3
LISTS = st.lists(st.lists(st.integers(0, WORDS * BITS - 1), max_size=9).map(sorted), min_size=1, max_size=5)


@given(LISTS, st.data(), st.booleans())
@settings(deadline=None)
def test_bits_of_lists(lists: list[list[int]], data: st.DataObject, apart: bool) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=7))
    out = np.full((len(chosen), WORDS * (2 if apart else 1)), -7, np.int32)[:, :: 2 if apart else 1]
    offsets = np.cumsum([0, *map(len, lists)])
    fill_bits(offsets, np.array([v for one in lists for v in one], np.int64), np.array(chosen, np.int64), out)
    for row, number in zip(out, chosen, strict=True):
        assert [v for v in range(WORDS * BITS) if int(row[v // BITS]) >> (v % BITS) & 1] == sorted(
            set(lists[number])
        )


@pytest.mark.parametrize(
    ("offsets", "tokens", "lists", "sentence"),
    [
        ([0, 2], [5], [0], "offsets"),
        ([1, 1], [5], [0], "offsets"),
        ([0, 1], [32], [0], "tokens: expected 0 to 31"),
        ([0, 1], [-1], [0], "tokens"),
        ([0, 1], [5], [1], r"lists\[0\]: expected 0 to 0, found 1"),
        ([0, 1], [5], [0, 0], "lists: expected length 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    offsets: list[int], tokens: list[int], lists: list[int], sentence: str
) -> None:
    arrays = (np.array(one, np.int64) for one in (offsets, tokens, lists))
    with pytest.raises(ValueError, match=sentence):
        fill_bits(*arrays, np.zeros((1, 1), np.int32))


def test_other_arrays_are_refused() -> None:
    one = np.array([0], np.int64)
    with pytest.raises(TypeError, match="int32"):
        fill_bits(one, one[:0], one[:0], np.zeros((0, 1), np.int64))  # type: ignore[arg-type]
