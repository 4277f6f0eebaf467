"""Docid strings of codes: the codes between hyphens, whatever their lengths and however many blocks they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid import DocidTable, ragged
from docid.ragged import as_ragged
from docid.strategies.codes import docids_of_codes


@given(
    rows=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=6), max_size=12), block=st.integers(1, 5)
)
def test_strings_are_the_codes_between_hyphens(rows: list[list[int]], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ragged, "CHUNK", block)
        found = docids_of_codes(as_ragged(rows), DocidTable.build([], []))
    assert list(found.strings) == ["-".join(map(str, row)) for row in rows]
