"""Constraints made of constraints, against the sets of sequences that they stand for."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from docid.trie import DocidTrie
from genret.constraint import (
    Constraint,
    FunctionConstraint,
    NoConstraint,
    SequenceConstraint,
    TrieConstraint,
    UnionConstraint,
    from_strings,
)
from genret.constraint.compose import sorted_documents
from genret.decoding import beam_search
from genret.errors import InputError, UsageError
from tests.genret.backbones import byte_tokenizer
from tests.genret.decoding.markov import EOS, random_markov

SEP = 3
FIRST = [[4, 5], [4], [6, 6], [4]]
SECOND = [[4, 5], [7], [6, 8]]


def trie(docids: list[list[int]]) -> TrieConstraint:
    return TrieConstraint(DocidTrie.build(docids, EOS))


def language(constraint: Constraint, num_beams: int = 200) -> dict[tuple[int, ...], list[int]]:
    """Every sequence that comes out, without its end token, and its documents; two queries agree."""
    found = beam_search(random_markov(2, 10, 4), [0, 1], constraint, num_beams=num_beams, max_length=20)
    both = [{tuple(h.tokens[:-1]): h.documents for h in row} for row in found]
    assert both[0] == both[1]
    return both[0]


def test_a_limit_of_documents_is_of_each_row() -> None:
    rows, numbers = torch.tensor([0, 0, 0, 2, 2, 2]), torch.tensor([5, 3, 5, 7, 4, 6])
    every = sorted_documents(rows, numbers, 3, None)
    assert (every.offsets.tolist(), every.documents.tolist()) == ([0, 2, 2, 5], [3, 5, 4, 6, 7])
    some = sorted_documents(rows, numbers, 3, 2)
    assert (some.offsets.tolist(), some.documents.tolist()) == ([0, 2, 2, 4], [3, 5, 4, 6])
    one = sorted_documents(rows, numbers, 3, 1)
    assert (one.offsets.tolist(), one.documents.tolist()) == ([0, 1, 1, 2], [3, 4])


def test_a_union_allows_what_any_part_allows() -> None:
    assert language(UnionConstraint([trie(FIRST), trie(SECOND)])) == {
        (4, 5): [0],
        (4,): [1, 3],
        (6, 6): [2],
        (7,): [1],
        (6, 8): [2],
    }


def test_a_union_is_narrowed_like_a_trie() -> None:
    """A narrow beam over a union equals the same beam over the trie of all docids."""
    docids = [list(docid) for docid in product([4, 5, 6, 7], repeat=3)]
    parts = UnionConstraint([trie(docids[:40]), trie(docids[20:])])
    model = random_markov(3, 10, 6)
    together = beam_search(model, [0, 1, 2], trie(docids), num_beams=4)
    split = beam_search(model, [0, 1, 2], parts, num_beams=4)
    assert [[h.tokens for h in row] for row in split] == [[h.tokens for h in row] for row in together]


def test_a_union_filters_in_every_part() -> None:
    union = UnionConstraint([trie(FIRST), trie(SECOND)])
    found = beam_search(random_markov(1, 10, 4), [0], union, num_beams=9, filters=[[1]])[0]
    assert {tuple(h.tokens[:-1]): h.documents for h in found} == {(4,): [1], (7,): [1]}


def test_parts_come_in_order_with_separators() -> None:
    found = language(SequenceConstraint([trie(FIRST), trie(SECOND)], SEP, EOS))
    expected = {}
    for a, b in product(FIRST, SECOND):
        named = {i for i, docid in enumerate(FIRST) if docid == a} | {SECOND.index(b)}
        expected[(*a, SEP, *b)] = sorted(named)
    assert found == expected


def test_several_docids_for_one_query() -> None:
    once = trie(SECOND)
    found = language(SequenceConstraint([once] * 3, SEP, EOS, at_least=1))
    expected = {}
    for count in (1, 2, 3):
        for chosen in product(range(3), repeat=count):
            tokens: list[int] = []
            for number in chosen:
                tokens += [SEP, *SECOND[number]]
            expected[tuple(tokens[1:])] = sorted(set(chosen))
    assert found == expected


def test_compositions_nest() -> None:
    either = UnionConstraint([trie([[4]]), trie([[5]])])
    both = UnionConstraint([SequenceConstraint([either, trie([[6]])], SEP, EOS), trie([[7]])])
    assert set(language(both)) == {(4, SEP, 6), (5, SEP, 6), (7,)}


def test_strings_in_the_tokenizers_spelling() -> None:
    tokenizer = byte_tokenizer()
    strings = ["red", "green", "re", "red"]
    constraint = from_strings(strings, tokenizer, EOS)
    found = beam_search(random_markov(1, 300, 1), [0], constraint, num_beams=10)[0]
    assert {tokenizer.decode(h.tokens[:-1]): h.documents for h in found} == {
        "red": [0, 3],
        "green": [1],
        "re": [2],
    }
    with pytest.raises(InputError, match=r"string 1 \(''\) has no tokens"):
        from_strings(["red", ""], tokenizer, EOS)


def test_a_function_decides() -> None:
    """Numbers that add up to at most 12, and end when they do."""

    def after(prefix: tuple[int, ...]) -> list[int]:
        left = 12 - sum(prefix)
        return [EOS] if left == 0 else [token for token in range(4, 9) if token <= left]

    constraint = FunctionConstraint(after, EOS, documents=lambda prefix: [len(prefix)])
    assert language(constraint) == {
        (4, 4, 4): [3],
        (4, 8): [2],
        (8, 4): [2],
        (5, 7): [2],
        (7, 5): [2],
        (6, 6): [2],
    }
    assert constraint.successors(constraint.start(1, prefixes=[[4]])).tokens.tolist() == [4, 5, 6, 7, 8]


def test_documents_are_limited() -> None:
    for constraint in (
        UnionConstraint([trie([[4]] * 5), trie([[4]])]),
        SequenceConstraint([trie([[4]] * 5)], SEP, EOS),
        FunctionConstraint(lambda prefix: [EOS] if prefix else [4], EOS, documents=lambda prefix: range(5)),
    ):
        state = constraint.start(1)
        for _ in range(2):
            successors = constraint.successors(state)
            state = constraint.advance(successors, torch.tensor([0]))
        assert constraint.documents(state, limit=2).documents.tolist() == [0, 1]
        assert constraint.documents(state).documents.tolist() == [0, 1, 2, 3, 4]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="union of no constraints"):
        UnionConstraint([])
    free = UnionConstraint([NoConstraint(10, EOS), trie([[4]])])
    with pytest.raises(UsageError, match="allows everything"):
        free.start(1) and free.successors(free.start(1))
    with pytest.raises(UsageError, match="at_least is 3; expected 1 to the number of parts, 2"):
        SequenceConstraint([trie([[4]])] * 2, SEP, EOS, at_least=3)
    with pytest.raises(UsageError, match="the separator is the end token"):
        SequenceConstraint([trie([[4]])], EOS, EOS)
    with pytest.raises(InputError, match=r"separator \(4\) is also a token inside part 0"):
        language(SequenceConstraint([trie([[4]])] * 2, 4, EOS))
    with pytest.raises(UsageError, match="takes no prefixes and filters"):
        SequenceConstraint([trie([[4]])], SEP, EOS).start(1, filters=[[0]])
    with pytest.raises(UsageError, match="cannot filter by documents"):
        FunctionConstraint(lambda prefix: [EOS], EOS).start(1, filters=[[0]])
