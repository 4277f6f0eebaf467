"""The trie against a set of prefixes, on small alphabets where everything collides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from docid import DocidTrie

EOS = 1
TOKENS = st.sampled_from([0, 2, 3, 70_000])
DOCIDS = st.lists(st.lists(TOKENS, min_size=1, max_size=5), max_size=12)


class PrefixSets:
    """The obvious trie: a dict from every prefix to the tokens after it."""

    def __init__(self, docids: list[list[int]]) -> None:
        self.following: dict[tuple[int, ...], set[int]] = {(): set()}
        self.documents: dict[tuple[int, ...], list[int]] = {}
        self.below: dict[tuple[int, ...], set[int]] = {(): set()}
        for document, docid in enumerate(docids):
            ended = (*docid, EOS)
            self.documents.setdefault(ended, []).append(document)
            for length in range(len(ended) + 1):
                self.below.setdefault(ended[:length], set()).add(document)
                following = self.following.setdefault(ended[:length], set())
                following.update(ended[length : length + 1])


def check_against_prefixes(docids: list[list[int]]) -> None:
    trie, reference = DocidTrie.build(docids, EOS), PrefixSets(docids)
    assert trie.longest() == max(map(len, reference.documents), default=0)
    for prefix, following in reference.following.items():
        assert trie.allowed(prefix) == sorted(following)
        assert trie.documents_below(prefix).tolist() == sorted(reference.below[prefix])
    for docid, documents in reference.documents.items():
        assert trie.documents(docid) == trie.documents(docid[:-1]) == documents


@given(DOCIDS)
@example([])
@example([[2]])
@example([[2], [2, 2], [2, 2, 2], [2, 2]])
@settings(max_examples=150, deadline=None)
def test_it_equals_a_set_of_prefixes(docids: list[list[int]]) -> None:
    check_against_prefixes(docids)


@pytest.mark.soak
@given(DOCIDS)
@settings(max_examples=2000, deadline=None)
def test_it_equals_a_set_of_prefixes_in_long(docids: list[list[int]]) -> None:
    check_against_prefixes(docids)


@given(DOCIDS, st.lists(st.sampled_from([0, EOS, 2, 3, 4, 70_000]), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_prefix_gets_the_answer_of_the_reference(docids: list[list[int]], prefix: list[int]) -> None:
    trie, reference = DocidTrie.build(docids, EOS), PrefixSets(docids)
    assert trie.allowed(prefix) == sorted(reference.following.get(tuple(prefix), ()))
    ended = prefix if prefix[-1:] == [EOS] else [*prefix, EOS]
    assert trie.documents(prefix) == reference.documents.get(tuple(ended), [])


@given(DOCIDS)
@settings(max_examples=100, deadline=None)
def test_a_batch_from_the_root_visits_every_prefix_once_and_every_document(docids: list[list[int]]) -> None:
    trie, reference = DocidTrie.build(docids, EOS), PrefixSets(docids)
    states, visited, found = np.array([trie.root]), 0, []
    while len(states):
        visited += len(states)
        found += trie.documents_of(states).values.tolist()
        states = trie.advance(trie.successors(states).edges)
    assert visited == len(reference.following)
    assert sorted(found) == list(range(len(docids)))


@given(DOCIDS.filter(bool))
@settings(max_examples=100, deadline=None)
def test_states_are_numbered_without_a_gap(docids: list[list[int]]) -> None:
    trie = DocidTrie.build(docids, EOS)
    states, all_states = np.array([trie.root]), []
    while len(states):
        all_states += states.tolist()
        states = trie.advance(trie.successors(states).edges)
    assert sorted(all_states) == list(range(trie.finished_base + trie.num_leaves))


@given(DOCIDS)
@settings(max_examples=150, deadline=None)
def test_one_step_of_many_rows_is_a_walk_of_each(docids: list[list[int]]) -> None:
    trie, reference = DocidTrie.build(docids, EOS), PrefixSets(docids)
    asked = [(prefix, token) for prefix in reference.following for token in (-1, 0, EOS, 2, 3, 4, 70_000)]
    states = np.array([trie.walk(prefix) for prefix, _ in asked])
    stepped = trie.step(states, np.array([token for _, token in asked]))
    assert stepped.tolist() == [trie.walk([*prefix, token]) for prefix, token in asked]
    assert trie.step(np.full(2, -1), np.array([2, EOS])).tolist() == [-1, -1]
