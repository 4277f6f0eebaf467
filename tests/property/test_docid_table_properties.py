"""The table against two dicts."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from docid import DocidTable

NEW = ["<a>", "<b>", "<c>"]
STRINGS = st.text(st.sampled_from("ab é/東"), min_size=1, max_size=3)
SEQUENCES = st.lists(st.sampled_from([-3, -2, -1, 0, 5, 70_000]), min_size=1, max_size=4)


@given(st.lists(st.tuples(STRINGS, SEQUENCES), max_size=12), st.booleans(), st.booleans())
@example([], True, True)
@settings(max_examples=150, deadline=None)
def test_it_equals_two_dicts(rows: list[tuple[str, list[int]]], bind: bool, save: bool) -> None:
    strings, sequences = [string for string, _ in rows], [sequence for _, sequence in rows]
    documents: dict[str, list[int]] = defaultdict(list)
    for document, string in enumerate(strings):
        documents[string].append(document)
    table = DocidTable.build(strings, sequences, NEW)
    if bind:
        table = table.bind([10, 20, 30])
        sequences = [
            [{-1: 10, -2: 20, -3: 30}.get(token, token) for token in sequence] for sequence in sequences
        ]
    if save:
        with tempfile.TemporaryDirectory() as folder:
            table.save(Path(folder) / "table")
            table = DocidTable.load(Path(folder) / "table")
    assert table.docids(range(len(rows))) == strings
    assert [table.sequence(document).tolist() for document in range(len(rows))] == sequences
    for string in [*documents, "nothing"]:
        assert table.documents(string).tolist() == documents.get(string, [])
