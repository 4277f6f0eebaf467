"""Rows: folding beams into the query axis, against a loop."""

from __future__ import annotations

import pytest
import torch
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.models.sharing.rows import Rows

layouts = st.lists(st.integers(0, 4), min_size=1, max_size=9).map(
    lambda queries: [sorted(set(queries)).index(query) for query in queries]
)


def layout(query_of_row: list[int]) -> Rows:
    return Rows.of(torch.tensor(query_of_row), max(query_of_row) + 1)


@settings(max_examples=60, deadline=None)
@given(query_of_row=layouts, length=st.integers(1, 3))
def test_folding_puts_each_querys_rows_side_by_side(query_of_row: list[int], length: int) -> None:
    rows = layout(query_of_row)
    x = torch.randn(len(query_of_row), 2, length, 3)
    folded = rows.fold(x)
    for query in range(rows.queries):
        mine = [x[row] for row, owner in enumerate(query_of_row) if owner == query]
        assert_close(folded[query, :, : len(mine) * length], torch.cat(mine, 1), ulps=FORWARD)
        assert not folded[query, :, len(mine) * length :].any()
    assert torch.equal(rows.unfold(folded, length), x.transpose(1, 2))


@settings(max_examples=60, deadline=None)
@given(query_of_row=layouts, data=st.data())
def test_selecting_rows_keeps_their_queries(query_of_row: list[int], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(query_of_row) - 1), min_size=1, max_size=8))
    rows, kept = layout(query_of_row).select(torch.tensor(chosen))
    queries = range(max(query_of_row) + 1) if kept is None else kept.tolist()
    assert [queries[query] for query in rows.query_of_row.tolist()] == [query_of_row[row] for row in chosen]
    assert rows.queries == len(queries) == len({query_of_row[row] for row in chosen})


def test_equal_numbers_of_rows_in_query_order_are_noticed() -> None:
    assert layout([0, 0, 1, 1]).rows_per_query == 2
    assert layout([0, 1, 0, 1]).rows_per_query is None
    assert layout([0, 0, 1]).rows_per_query is None
    assert Rows.single(3, torch.device("cpu")).rows_per_query == 1


@pytest.mark.parametrize(("chosen", "kept"), [([0, 1, 2], None), ([2, 0], [2, 0]), ([1, 1, 2, 2], [1, 2])])
def test_what_is_kept_of_single_rows(chosen: list[int], kept: list[int] | None) -> None:
    """One row a query in another order reorders the queries, so that the layout is simple again."""
    rows, found = Rows.single(3, torch.device("cpu")).select(torch.tensor(chosen))
    assert (None if found is None else found.tolist()) == kept
    assert rows.rows_per_query == (2 if len(chosen) == 4 else 1)
