"""Any trie, any filter: the tensor form says what a set of prefixes says."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint

EOS = 1
docids = st.lists(st.lists(st.integers(2, 5), min_size=1, max_size=5), max_size=12)
prefixes = st.lists(st.lists(st.integers(1, 6), max_size=5), min_size=1, max_size=6)


def expected(docids: list[list[int]], prefix: list[int], wanted: set[int]) -> tuple[list[int], list[int]]:
    """What may follow, and the documents of a finished prefix, by looking at every docid."""
    ended = [[*docid, EOS] for docid in docids]
    reached = [i for i in wanted if ended[i][: len(prefix)] == prefix]
    following = {ended[i][len(prefix)] for i in reached if len(ended[i]) > len(prefix)}
    return sorted(following), sorted(i for i in reached if ended[i] == prefix)


@given(docids, prefixes, st.data())
@settings(max_examples=200, deadline=None)
def test_successors_and_documents(rows: list[list[int]], asked: list[list[int]], data: st.DataObject) -> None:
    constraint = TrieConstraint(DocidTrie.build(rows, EOS))
    choice = st.none() | (st.lists(st.sampled_from(range(len(rows)))) if rows else st.just([]))
    filters = [data.draw(choice) for _ in asked]
    after = constraint.successors(constraint.start(len(asked), prefixes=asked, filters=filters))
    for row, prefix in enumerate(asked):
        wanted = set(range(len(rows)) if filters[row] is None else filters[row])
        first, last = after.offsets[row], after.offsets[row + 1]
        assert after.tokens[first:last].tolist() == expected(rows, prefix, wanted)[0]
    state = constraint.start(len(asked), filters=filters)
    for step in range(6):
        successors = constraint.successors(state)
        found = constraint.documents(state)
        bounds, ends = successors.offsets.tolist(), found.offsets.tolist()
        edges = []
        for row, prefix in enumerate(asked):
            wanted = set(range(len(rows)) if filters[row] is None else filters[row])
            following, documents = expected(rows, prefix[:step], wanted)
            legal = successors.tokens[bounds[row] : bounds[row + 1]].tolist()
            assert legal == following
            assert found.documents[ends[row] : ends[row + 1]].tolist() == documents
            if len(prefix) > step and prefix[step] in legal:
                edges.append((row, bounds[row] + legal.index(prefix[step])))
        state = constraint.advance(successors, torch.tensor([edge for _, edge in edges], dtype=torch.int64))
        asked = [asked[row] for row, _ in edges]
        filters = [filters[row] for row, _ in edges]
