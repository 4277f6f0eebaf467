"""Haystack's filters against Haystack's own evaluation of them, document by document."""

from __future__ import annotations

from typing import Any

from haystack import Document
from haystack.utils.filters import document_matches_filter
from hypothesis import given, settings
from hypothesis import strategies as st

from genret import Passage
from genret.adapters.filters import where_of
from genret.corpus import PassageStore
from genret.corpus.where import matching_rows

TEXTS = ["en", "fr", 'a "quoted" \\ one', "two\nlines", "é", ""]
NUMBERS = [-1, 0, 2, 2.0, 2.5]
FIELDS = {"lang": TEXTS, "year": NUMBERS, "open": [True, False]}
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}),
    min_size=1,
    max_size=8,
)


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([*FIELDS, "id"]))
    values = st.sampled_from(["d0", "d3", "none"] if name == "id" else FIELDS[name])
    ordering = [">", ">=", "<", "<="] if name == "year" else []
    operator = draw(st.sampled_from(["==", "!=", "in", "not in", *ordering]))
    listed = st.lists(values, max_size=3)
    value = draw(listed if "in" in operator else values if ordering or name == "id" else values | st.none())
    field = name if name == "id" else draw(st.sampled_from([f"meta.{name}", name]))
    return {"field": field, "operator": operator, "value": value}


FILTERS = st.recursive(
    comparisons(),
    lambda inner: st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["AND", "OR", "NOT"]),
            "conditions": st.lists(inner, min_size=1, max_size=3),
        }
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(ROWS, FILTERS)
def test_what_haystack_lets_through_is_let_through(
    rows: list[dict[str, Any]], filters: dict[str, Any]
) -> None:
    every = [*rows, {name: values[0] for name, values in FIELDS.items()}]  # so that all fields are there
    store = PassageStore.build(Passage(f"d{n}", "", "text", meta) for n, meta in enumerate(every))
    expected = [
        document_matches_filter(filters, Document(id=f"d{n}", content="text", meta=meta))
        for n, meta in enumerate(every)
    ]
    where = where_of(filters)
    assert where is not None
    assert matching_rows(store, where).tolist() == expected
