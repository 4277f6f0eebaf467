"""The trie: the worked example, prefixes, shared leaves, batches, refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from docid import DocidTrie, InputError
from docid.ragged import as_ragged
from docid.trie import DEAD

EOS = 1
DOCIDS = [[5, 6, 7], [5, 6, 8], [5, 9], [10, 11, 12, 13], [10]]
A, B, C, D, E = range(5)


@pytest.fixture
def trie() -> DocidTrie:
    return DocidTrie.build(DOCIDS, EOS)


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ([], [5, 10]),
        ([5], [6, 9]),
        ([5, 6], [7, 8]),
        ([5, 9], [EOS]),
        ([10], [EOS, 11]),
        ([10, 11, 12, 13], [EOS]),
        ([6], []),
        ([5, 9, EOS], []),
        ([5, 9, 4], []),
        ([EOS], []),
    ],
)
def test_allowed_lists_the_tokens_that_keep_a_docid_reachable(
    trie: DocidTrie, prefix: list[int], allowed: list[int]
) -> None:
    assert trie.allowed(prefix) == allowed


def test_it_has_the_nodes_and_edges_of_the_worked_example(trie: DocidTrie) -> None:
    # A tail of n entries stands for n nodes (one for each prefix) and n edges (the last one the end).
    nodes, edges_with_eos = trie.num_nodes + len(trie.tails), trie.num_edges + len(trie.tails)
    assert (nodes, edges_with_eos - trie.num_leaves, edges_with_eos) == (10, 9, 14)


def test_documents_of_a_docid_with_and_without_its_end(trie: DocidTrie) -> None:
    for document, docid in enumerate(DOCIDS):
        assert trie.documents(docid) == trie.documents([*docid, EOS]) == [document]
    for unfinished in ([], [5], [5, 6], [10, 11], [10, 11, 12], [7], [5, 9, EOS, EOS]):
        assert trie.documents(unfinished) == []


def test_documents_below_a_prefix_shrink_as_it_grows(trie: DocidTrie) -> None:
    below = {(): [A, B, C, D, E], (5,): [A, B, C], (5, 6): [A, B], (5, 6, 7): [A], (5, 6, 7, EOS): [A]}
    for prefix, documents in below.items():
        assert trie.documents_below(prefix).tolist() == documents
    assert trie.documents_below([10]).tolist() == [D, E]
    assert trie.documents_below([10, 11]).tolist() == [D]
    assert trie.documents_below([6]).tolist() == []


def test_documents_that_share_a_docid_come_in_document_order() -> None:
    trie = DocidTrie.build([[3, 4], [3, 4, 5], [3, 4], [7], [3, 4, 5], [3, 4]], EOS)
    assert trie.documents([3, 4]) == [0, 2, 5]
    assert trie.documents([3, 4, 5]) == [1, 4]
    assert trie.allowed([3, 4]) == [EOS, 5]
    assert (trie.num_documents, trie.num_leaves) == (6, 3)


def test_the_order_of_the_input_changes_document_numbers_only() -> None:
    shuffled = [DOCIDS[i] for i in (3, 0, 4, 2, 1)]
    trie, again = DocidTrie.build(DOCIDS, EOS), DocidTrie.build(shuffled, EOS)
    for name in ("offsets", "tokens", "node_edges", "tails", "tail_starts"):
        np.testing.assert_array_equal(getattr(trie, name), getattr(again, name))
    assert again.documents([5, 6, 7]) == [1]


@pytest.mark.parametrize("copies", [1, 3])
def test_a_single_docid_is_a_root_and_a_tail(copies: int) -> None:
    trie = DocidTrie.build([[4, 5, 6]] * copies, EOS)
    assert (trie.num_nodes, trie.num_edges, trie.tails.tolist()) == (1, 1, [5, 6, EOS])
    assert trie.documents([4, 5, 6]) == list(range(copies))


def test_an_empty_trie_allows_nothing() -> None:
    trie = DocidTrie.build([], EOS)
    assert trie.allowed([]) == []
    assert trie.documents([]) == []
    assert trie.documents_below([]).tolist() == []
    assert trie.edge_targets().tolist() == []


def test_a_batch_of_states_moves_as_each_state_alone(trie: DocidTrie) -> None:
    prefixes = [[], [5], [5, 6], [5, 6, 8], [10], [10, 11, 12], [10, EOS], [6]]
    states = np.array([trie.walk(prefix) for prefix in prefixes])
    assert states[-1] == DEAD
    successors = trie.successors(states)
    moved = trie.advance(successors.edges)
    for row, prefix in enumerate(prefixes):
        entries = slice(successors.offsets[row], successors.offsets[row + 1])
        assert successors.tokens[entries].tolist() == trie.allowed(prefix)
        expected = [trie.walk([*prefix, token]) for token in trie.allowed(prefix)]
        assert moved[entries].tolist() == expected


def test_documents_of_a_batch_are_empty_for_unfinished_states(trie: DocidTrie) -> None:
    states = np.array([trie.walk(prefix) for prefix in ([5, 9, EOS], [5], [10, EOS], [8], [5, 9])])
    documents = trie.documents_of(states)
    assert documents.offsets.tolist() == [0, 1, 1, 2, 2, 2]
    assert documents.values.tolist() == [C, E]


def test_edge_targets_are_the_states_that_advance_gives(trie: DocidTrie) -> None:
    np.testing.assert_array_equal(trie.edge_targets(), trie.advance(np.arange(trie.num_edges)))


def test_tails_take_the_place_of_nodes_where_one_docid_is_left() -> None:
    trie = DocidTrie.build([[2, *range(10, 2000)], [3, 4]], EOS)
    assert (trie.num_nodes, trie.num_edges, len(trie.tails)) == (1, 2, 1991 + 2)
    assert trie.documents([2, *range(10, 2000)]) == [0]


def test_docids_that_differ_only_far_down_are_told_apart() -> None:
    common = list(range(2, 600))
    trie = DocidTrie.build([[*common, 5], [*common, 4], common, [*common, 4, 4]], EOS)
    assert trie.allowed(common) == [EOS, 4, 5]
    assert [trie.documents([*common, *end]) for end in ([5], [4], [], [4, 4])] == [[0], [1], [2], [3]]


@pytest.mark.parametrize("token", [65_534, 65_535, 65_536, 250_000, 2**31 - 2])
def test_tokens_beyond_sixteen_bits_are_kept_whole(token: int) -> None:
    trie = DocidTrie.build([[token, 3], [token, token], [0]], EOS)
    assert trie.allowed([]) == [0, token]
    assert trie.allowed([token]) == [3, token]
    assert trie.documents([token, token]) == [1]


def rows_of_arrays(rows: list[list[int]]) -> object:
    return [np.array(row, np.int32) for row in rows]


@pytest.mark.parametrize("form", [list, rows_of_arrays, as_ragged, lambda rows: tuple(map(tuple, rows))])
def test_every_form_of_input_gives_the_same_trie(form: Callable[[list[list[int]]], Sequence[object]]) -> None:
    trie, expected = DocidTrie.build(form(DOCIDS), EOS), DocidTrie.build(DOCIDS, EOS)
    for ours, theirs in zip(trie.arrays, expected.arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_matrix_is_one_docid_a_row() -> None:
    trie = DocidTrie.build(np.array([[4, 5], [4, 6]], np.uint16), EOS)
    assert trie.allowed([4]) == [5, 6]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([[5], [5, -2, 6]], "row 1, position 1: token -2; expected token ids from 0"),
        ([[5], [7], [5, EOS, 6]], "row 2, position 1: token 1; this is the end token"),
        ([[5], [], [6]], "row 1: the docid is empty"),
        ([[5], [6, 2**31]], "row 1, position 1: token 2147483648"),
        ([[5], [2.5]], "row 1: [2.5]: expected integers"),
        ([[5], ["7"]], "row 1: ['7']: expected integers"),
        ([[5, 2**70]], "row 0: "),
    ],
)
def test_what_cannot_be_a_docid_is_refused_by_row(sequences: list[list[int]], message: str) -> None:
    with pytest.raises(InputError) as error:
        DocidTrie.build(sequences, EOS)
    assert message in str(error.value)


def test_an_impossible_end_token_is_refused() -> None:
    with pytest.raises(InputError, match="eos is -1"):
        DocidTrie.build([[5]], -1)


def test_a_million_random_tokens_take_few_bytes() -> None:
    # 125,000 docids of 8 tokens: most of each docid is a tail of two bytes a token.
    docids = np.random.default_rng(0).integers(2, 32_000, (125_000, 8))
    trie = DocidTrie.build(docids, EOS)
    assert trie.nbytes / len(docids) < 35
    for document in range(0, len(docids), 9973):
        assert trie.documents(docids[document].tolist()) == [document]
