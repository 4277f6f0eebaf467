"""The trie as a constraint against its own numpy form and against sets of prefixes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from docid import trie_arrays
from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.constraint.protocol import Constraint, Counting, State

EOS = 1
DOCIDS = {"A": [5, 6, 7], "B": [5, 6, 8], "C": [5, 9], "D": [10, 11, 12, 13], "E": [10]}


def walk(constraint: Constraint, state: State, tokens: list[int]) -> State | None:
    """The state after `tokens`, one row, by successors and advance; None where a token is illegal."""
    for token in tokens:
        successors = constraint.successors(state)
        place = (successors.tokens == token).nonzero().squeeze(1)
        if not len(place):
            return None
        state = constraint.advance(successors, place)
    return state


def rows_of(offsets: Tensor, values: Tensor) -> list[list[int]]:
    return [part.tolist() for part in values.tensor_split(offsets[1:-1])]


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ([], [5, 10]),
        ([5], [6, 9]),
        ([5, 6], [7, 8]),
        ([5, 9], [EOS]),
        ([10], [EOS, 11]),
        ([10, 11, 12, 13], [EOS]),
        ([5, 9, EOS], []),
    ],
)
def test_what_may_follow_a_prefix(prefix: list[int], allowed: list[int]) -> None:
    constraint = TrieConstraint(DocidTrie.build(list(DOCIDS.values()), EOS))
    state = walk(constraint, constraint.start(1), prefix)
    assert constraint.successors(state).tokens.tolist() == allowed
    assert constraint.successors(constraint.start(1, prefixes=[prefix])).tokens.tolist() == allowed
    assert constraint.counts(state).tolist() == [len(allowed)]


def test_rows_in_nodes_tails_and_ends_are_listed_side_by_side() -> None:
    constraint = TrieConstraint(DocidTrie.build(list(DOCIDS.values()), EOS))
    state = constraint.start(5, prefixes=[[], [6], [10, 11], [10, EOS], [5, 6]])
    successors = constraint.successors(state)
    assert rows_of(successors.offsets, successors.tokens) == [[5, 10], [], [12], [], [7, 8]]
    moved = constraint.advance(successors, torch.tensor([4, 2, 2, 0]))
    after = constraint.successors(moved)
    assert rows_of(after.offsets, after.tokens) == [[EOS], [13], [13], [6, 9]]


def test_the_caller_may_know_the_number_of_successors() -> None:
    constraint = TrieConstraint(DocidTrie.build(list(DOCIDS.values()), EOS))
    state = constraint.start(3)
    known = constraint.successors(state, size=int(constraint.counts(state).sum()))
    assert known.tokens.tolist() == constraint.successors(state).tokens.tolist()
    assert isinstance(constraint, Counting)


def test_documents_of_finished_rows_only_and_limited() -> None:
    constraint = TrieConstraint(DocidTrie.build([[4], [5, 6], [4], [4]], EOS))
    state = constraint.start(4, prefixes=[[4, EOS], [5], [5, 6, EOS], [4]])
    found = constraint.documents(state)
    assert rows_of(found.offsets, found.documents) == [[0, 2, 3], [], [1], []]
    found = constraint.documents(state, limit=2)
    assert rows_of(found.offsets, found.documents) == [[0, 2], [], [1], []]


@pytest.mark.parametrize("largest", [60_000, 65_535, 65_536, 250_000])
def test_tokens_of_every_width(largest: int) -> None:
    """Stored as 16 bits up to 65,535 and as 32 bits above."""
    docids = [[largest, 40_000], [largest, 3], [largest - 1]]
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    assert constraint.successors(constraint.start(1)).tokens.tolist() == [largest - 1, largest]
    state = constraint.start(1, prefixes=[[largest]])
    assert constraint.successors(state).tokens.tolist() == [3, 40_000]


def test_the_arrays_of_the_trie_are_shared_on_the_cpu() -> None:
    trie = DocidTrie.build(list(DOCIDS.values()), EOS)
    constraint = TrieConstraint(trie)
    assert constraint._tails.data_ptr() == trie.tails.ctypes.data
    assert not trie.tails.flags.writeable


def test_a_filter_prepared_once_serves_many_searches() -> None:
    constraint = TrieConstraint(DocidTrie.build([[4], [5, 6], [4], [5, 7]], EOS))
    subset = constraint.subset(np.array([3, 2, 3]))
    assert subset.documents.tolist() == [2, 3]
    state = constraint.start(3, filters=[subset, None, subset])
    successors = constraint.successors(state)
    assert rows_of(successors.offsets, successors.tokens) == [[4, 5], [4, 5], [4, 5]]
    below = constraint.successors(constraint.advance(successors, torch.tensor([1, 3])))
    assert rows_of(below.offsets, below.tokens) == [[7], [6, 7]]


def test_a_filtered_prefix_that_holds_no_document_of_the_filter() -> None:
    constraint = TrieConstraint(DocidTrie.build([[4, 5], [4, 6], [7]], EOS))
    state = constraint.start(1, prefixes=[[4]], filters=[[2]])
    assert constraint.successors(state).tokens.tolist() == []


def test_index_arrays_of_64_bits_answer_as_those_of_32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past 2^31 entries the arrays are 64 bits wide; here they are made so for few."""
    docids = [*DOCIDS.values(), DOCIDS["A"], DOCIDS["D"]]
    narrow = DocidTrie.build(docids, EOS)
    monkeypatch.setattr(trie_arrays, "smallest_dtype", lambda largest: np.int64)
    wide = DocidTrie.build(docids, EOS)
    assert (narrow.offsets.dtype, wide.offsets.dtype) == (np.int32, np.int64)
    assert wide.tail_starts.dtype == wide.leaf_documents.dtype == wide.node_edges.dtype == np.int64
    prefixes = [[*docid[:length]] for docid in docids for length in range(len(docid) + 1)]
    for trie in (narrow, wide):
        constraint = TrieConstraint(trie)
        state = constraint.start(len(prefixes), prefixes=prefixes)
        found = constraint.successors(state)
        after = constraint.documents(constraint.advance(found, torch.arange(len(found.tokens))))
        answers = (found.offsets.tolist(), found.tokens.tolist(), after.documents.tolist())
        assert answers[2]
        if trie is narrow:
            expected = answers
    assert answers == expected
    assert [wide.documents(docid) for docid in docids] == [narrow.documents(docid) for docid in docids]
