"""A growing trie as a constraint: after any additions and removals it says what a list of the living says."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docid import DocidTrie, InputError
from docid.growing_trie import GrowingTrie
from genret.constraint import growing_constraint

EOS = 1
DOCIDS = st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=4), max_size=8)
PREFIXES = st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=5)


def expected(docids: list[list[int]], living: set[int], prefix: list[int]) -> tuple[list[int], list[int]]:
    """What may follow, and the documents of a finished prefix, by looking at every living docid."""
    ended = {document: [*docids[document], EOS] for document in living}
    reached = [document for document in sorted(living) if ended[document][: len(prefix)] == prefix]
    following = {ended[row][len(prefix)] for row in reached if len(ended[row]) > len(prefix)}
    return sorted(following), [row for row in reached if ended[row] == prefix]


NUMBERS = st.sets(st.integers(0, 15))
CHANGES = (DOCIDS, DOCIDS, NUMBERS, PREFIXES, st.none() | NUMBERS)


def check_it_says_what_a_list_of_the_living_says(
    base: list[list[int]], added: list[list[int]], removed: set[int], prefixes: list[list[int]], wanted: set[int] | None
) -> None:  # fmt: skip
    docids = base + added
    numbers = set(range(len(docids)))
    trie = GrowingTrie.start(DocidTrie.build(base, EOS)).add(added).remove(sorted(removed & numbers))
    constraint = growing_constraint(trie)
    living = numbers - removed if wanted is None else (numbers & wanted) - removed
    filters = None if wanted is None else [sorted(numbers & wanted)] * len(prefixes)
    state = constraint.start(len(prefixes), prefixes=prefixes, filters=filters)
    for _ in range(6):
        found, documents = constraint.successors(state), constraint.documents(state)
        legal = [part.tolist() for part in found.tokens.tensor_split(found.offsets[1:-1])]
        ended = [part.tolist() for part in documents.documents.tensor_split(documents.offsets[1:-1])]
        assert list(zip(legal, ended, strict=True)) == [expected(docids, living, p) for p in prefixes]
        # Every row moves along its last legal token; rows without one are left behind.
        going = [row for row, tokens in enumerate(legal) if tokens]
        prefixes = [[*prefixes[row], legal[row][-1]] for row in going]
        state = constraint.advance(found, found.offsets[1:][torch.tensor(going, dtype=torch.int64)] - 1)
        if not going:
            break


@given(*CHANGES)
@settings(max_examples=200, deadline=None)
def test_it_says_what_a_list_of_the_living_says(
    base: list[list[int]], added: list[list[int]], removed: set[int], prefixes: list[list[int]], wanted: set[int] | None
) -> None:  # fmt: skip
    check_it_says_what_a_list_of_the_living_says(base, added, removed, prefixes, wanted)


@pytest.mark.soak
@given(*CHANGES)
@settings(max_examples=2000, deadline=None)
def test_it_says_what_a_list_of_the_living_says_in_long(
    base: list[list[int]], added: list[list[int]], removed: set[int], prefixes: list[list[int]], wanted: set[int] | None
) -> None:  # fmt: skip
    check_it_says_what_a_list_of_the_living_says(base, added, removed, prefixes, wanted)


def test_a_filter_may_name_added_documents_and_no_others() -> None:
    constraint = growing_constraint(GrowingTrie.start(DocidTrie.build([[2], [3]], EOS)).add([[4]]))
    assert constraint.successors(constraint.start(1, filters=[[0, 2]])).tokens.tolist() == [2, 4]
    with pytest.raises(InputError, match="document 3 does not exist; expected numbers from 0 to 2"):
        constraint.start(1, filters=[[3]])
