"""A growing trie against the trie of the living documents, built from nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTrie, InputError
from docid.growing_trie import GrowingTrie

EOS = 1
DOCID = st.lists(st.sampled_from([2, 3, 4]), min_size=1, max_size=3)
CHANGE = st.one_of(
    st.tuples(st.just("add"), st.lists(DOCID, max_size=4)),
    st.tuples(st.just("remove"), st.lists(st.integers(0, 30), max_size=4)),
    st.tuples(st.just("compact"), st.just([])),
)
PREFIXES = [list(prefix) for length in range(4) for prefix in product([2, 3, 4], repeat=length)]


def check_against_a_dict(base: list[list[int]], changes: list[tuple[str, list]]) -> None:
    docids = {row: tuple(docid) for row, docid in enumerate(base)}
    growing, total = GrowingTrie.start(DocidTrie.build(base, EOS)), len(base)
    for kind, values in changes:
        if kind == "add":
            docids.update((total + place, tuple(docid)) for place, docid in enumerate(values))
            growing, total = growing.add(values), total + len(values)
        elif kind == "remove":
            chosen = [value for value in values if value < total]
            growing = growing.remove(chosen)
            for document in chosen:
                docids.pop(document, None)
        else:
            compare(growing.compacted(), docids)
        compare(growing, docids)


def compare(trie: DocidTrie | GrowingTrie, docids: dict[int, tuple[int, ...]]) -> None:
    ended = [(*docid, EOS) for docid in docids.values()]
    for prefix in PREFIXES:
        length = len(prefix)
        expected = {row[length] for row in ended if len(row) > length and row[:length] == tuple(prefix)}
        assert trie.allowed(prefix) == sorted(expected)
        assert trie.documents(prefix) == [
            number for number, docid in docids.items() if docid == tuple(prefix)
        ]


@given(st.lists(DOCID, max_size=6), st.lists(CHANGE, max_size=5))
@settings(max_examples=20, deadline=None)
def test_it_equals_a_dict_of_the_living(base: list[list[int]], changes: list[tuple[str, list]]) -> None:
    check_against_a_dict(base, changes)


@pytest.mark.soak
@given(st.lists(DOCID, max_size=6), st.lists(CHANGE, max_size=5))
@settings(max_examples=2000, deadline=None)
def test_it_equals_a_dict_of_the_living_in_long(
    base: list[list[int]], changes: list[tuple[str, list]]
) -> None:
    check_against_a_dict(base, changes)


@given(st.lists(DOCID, max_size=12))
@settings(max_examples=100, deadline=None)
def test_leaf_sequences_are_the_docids(docids: list[list[int]]) -> None:
    trie = DocidTrie.build(docids, EOS)
    found = trie.leaf_sequences()
    rows = [
        found.values[begin:end].tolist()
        for begin, end in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]
    assert sorted(map(tuple, rows)) == sorted(set(map(tuple, docids)))
    for leaf, row in enumerate(rows):
        documents = trie.documents_of(np.array([trie.finished_base + leaf])).values.tolist()
        assert documents == [number for number, docid in enumerate(docids) if docid == row]


def test_an_unknown_document_cannot_be_removed() -> None:
    with pytest.raises(InputError, match="document 3: no such document; there are 3"):
        GrowingTrie.start(DocidTrie.build([[2], [3], [4]], EOS)).remove([1, 3])
