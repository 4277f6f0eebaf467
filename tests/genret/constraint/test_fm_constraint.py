"""The n-grams of a corpus as a constraint, held against a slow reading of the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index import FMIndex, ShardedFMIndex
from genret.constraint import FMIndexConstraint
from genret.decoding import beam_search
from genret.errors import InputError, UsageError
from tests.genret.decoding.markov import EOS, MarkovBackbone, random_markov

Corpus = list[list[int]]
TOKENS = st.integers(2, 6)
CORPORA = st.lists(st.lists(TOKENS, max_size=7), min_size=1, max_size=6).filter(any)


def make(documents: Corpus, shards: int) -> FMIndex | ShardedFMIndex:
    if shards == 1:
        return FMIndex.from_documents(documents, vocab_size=8)
    parts = [documents[number::shards] for number in range(shards)]
    return ShardedFMIndex([FMIndex.from_documents(part, vocab_size=8) for part in parts])


def occurrences(documents: Corpus, ngram: Sequence[int], at_start: bool) -> list[tuple[int, int]]:
    """Every place (document, end) where the n-gram stands."""
    size = len(ngram)
    return [
        (number, begin + size)
        for number, document in enumerate(documents)
        for begin in range(1 if at_start else len(document) - size + 1)
        if document[begin : begin + size] == list(ngram)
    ]


def expected(documents: Corpus, ngram: Sequence[int], options: dict[str, Any]) -> list[int]:
    """The legal next tokens, by the words of the class's docstring."""
    places = occurrences(documents, ngram, options["at_start"])
    if not places:
        return []
    over = len(places) <= options["stop_count"] or (bool(ngram) and ngram[-1] in options["end_tokens"])
    if ngram and over:
        return [EOS] if options["finishes"] else []
    following = {documents[number][end] for number, end in places if end < len(documents[number])}
    ends = options["finishes"] and bool(ngram) and any(end == len(documents[n]) for n, end in places)
    return sorted(following | ({EOS} if ends else set()))


def row(successors: Any, number: int) -> list[int]:
    first, last = successors.offsets[number : number + 2].tolist()
    return successors.tokens[first:last].tolist()


@settings(max_examples=150, deadline=None)
@given(
    CORPORA,
    st.sampled_from([1, 2]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([(), (4,)]),
    st.randoms(use_true_random=False),
)
def test_every_walk_agrees_with_the_corpus(
    documents: Corpus,
    shards: int,
    at_start: bool,
    finishes: bool,
    stop: int,
    ends: tuple[int, ...],
    draw: Any,
) -> None:
    options = {"at_start": at_start, "finishes": finishes, "stop_count": stop, "end_tokens": ends}
    constraint = FMIndexConstraint(make(documents, shards), EOS, **options)
    ngrams: list[list[int]] = [[], []]
    state = constraint.start(2)
    while ngrams:
        successors = constraint.successors(state)
        for number, ngram in enumerate(ngrams):
            assert row(successors, number) == expected(documents, ngram, options)
        edges = list(range(len(successors.tokens)))
        chosen = sorted(draw.sample(edges, min(4, len(edges))))
        rows = [int(np.searchsorted(successors.offsets, edge, side="right")) - 1 for edge in chosen]
        state = constraint.advance(successors, torch.tensor(chosen, dtype=torch.int64))
        tokens = [int(successors.tokens[edge]) for edge in chosen]
        moved = [[*ngrams[parent], token] for parent, token in zip(rows, tokens, strict=True)]
        for number, ngram in enumerate(moved):
            if ngram[-1] == EOS:
                assert row(constraint.successors(state), number) == []
            plain = [token for token in ngram if token != EOS]
            assert state.occurrences[number] == len(occurrences(documents, plain, at_start))
            check_documents(documents, constraint, state, number, ngram, shards, at_start)
        alive = [number for number, ngram in enumerate(moved) if ngram[-1] != EOS]
        if not alive:
            return
        ngrams, state = [moved[number] for number in alive], select(state, alive)


def select(state: Any, rows: list[int]) -> Any:
    return type(state)(state.lo[rows], state.hi[rows], state.status[rows])


def check_documents(
    documents: Corpus,
    constraint: FMIndexConstraint,
    state: Any,
    number: int,
    ngram: Sequence[int],
    shards: int,
    at_start: bool,
) -> None:
    found = constraint.documents(select(state, [number])).documents.tolist()
    plain = [token for token in ngram if token != EOS]
    order = [n for part in range(shards) for n in range(part, len(documents), shards)]
    assert sorted(order[n] for n in found) == sorted({n for n, _ in occurrences(documents, plain, at_start)})


DOCUMENTS = [[2, 3, 4, 5], [2, 3, 5], [6, 4, 2, 3]]


def test_nothing_is_continued_from_one_document_into_the_next() -> None:
    """Pitfalls 3, 4: the last document counts, and 3 ends document 2 though it does not end the corpus's text."""
    constraint = FMIndexConstraint(FMIndex.from_documents(DOCUMENTS), EOS)
    state = constraint.start(3, prefixes=[[6, 4, 2, 3], [5], [4]])
    successors = constraint.successors(state)
    assert [row(successors, number) for number in range(3)] == [[EOS], [EOS], [2, 5]]


def test_no_range_is_a_row_too_long() -> None:
    """Pitfall 2, and 3: a corpus on which a range that ends one row too far counts an occurrence that is none."""
    documents = [[3, 7], [4], [8, 3, 6], [8, 3, 8, 3], [6, 7, 3, 5, 3, 4, 3, 8, 5], [6, 4, 3, 7, 6, 3]]
    constraint = FMIndexConstraint(FMIndex.from_documents(documents), EOS)
    state = constraint.start(3, prefixes=[[6], [3], [5]])
    assert state.occurrences.tolist() == [4, 9, 2]
    successors = constraint.successors(state)
    assert [row(successors, number) for number in range(3)] == [
        [EOS, 3, 4, 7],
        [EOS, 4, 5, 6, 7, 8],
        [EOS, 3],
    ]


def test_every_documents_first_token_is_a_title_start_the_last_ones_too() -> None:
    """Pitfall 5: SEAL cannot decode the title of the last document."""
    constraint = FMIndexConstraint(FMIndex.from_documents(DOCUMENTS), EOS, at_start=True)
    assert row(constraint.successors(constraint.start(1)), 0) == [2, 6]
    inside = constraint.start(1, prefixes=[[2, 3]])
    assert inside.occurrences.tolist() == [2], "occurrences elsewhere are none at a document's start"


def test_a_forced_prefix_constrains_the_first_step() -> None:
    """Pitfall 20."""
    constraint = FMIndexConstraint(FMIndex.from_documents(DOCUMENTS), EOS)
    state = constraint.start(3, prefixes=[[2, 3], [], [3, 3]])
    successors = constraint.successors(state)
    assert row(successors, 0) == [EOS, 4, 5]
    assert row(successors, 1) == [2, 3, 4, 5, 6]
    assert row(successors, 2) == []


def test_beam_search_over_titles_gives_documents_and_nothing_else() -> None:
    """Pitfalls 17, 18: fewer titles than beams give fewer results, and finished beams ask for nothing."""
    separator = 7
    titles = [[2, 3], [2, 4], [5]]
    documents = [[*title, separator, 2, 3, 4] for title in titles]
    constraint = FMIndexConstraint(
        FMIndex.from_documents(documents), EOS, at_start=True, end_tokens=[separator]
    )
    found = beam_search(random_markov(2, 8, 0), [0, 1], constraint, num_beams=9)
    assert len(found) == 2
    for hypotheses in found:
        assert sorted(one.tokens for one in hypotheses) == [[*title, separator, EOS] for title in titles]
        assert all(titles[one.documents[0]] == one.tokens[:-2] for one in hypotheses)
        assert [len(one.documents) for one in hypotheses] == [1, 1, 1]


def test_a_beam_whose_legal_tokens_are_unlikely_lives() -> None:
    """Pitfall 19: the best of the legal tokens, not the legal ones among the best."""
    table = torch.full((1, 9, 8), -9.0)
    table[0, :, 5] = 9.0
    constraint = FMIndexConstraint(FMIndex.from_documents([[2, 3, 4]]), EOS)
    found = beam_search(MarkovBackbone(table), [0], constraint, num_beams=2, prefixes=[[2]])[0]
    assert [one.tokens for one in found] == [[2, 3, 4, EOS]]


def test_frequencies_are_occurrences() -> None:
    """Pitfall 6: a range holds occurrences; the documents of it are counted once."""
    constraint = FMIndexConstraint(FMIndex.from_documents([[2, 3, 2, 3, 2, 3], [2, 4]]), EOS, stop_count=2)
    state = constraint.start(1, prefixes=[[2, 3]])
    assert state.occurrences.tolist() == [3]
    assert constraint.documents(state).documents.tolist() == [0]
    successors = constraint.successors(state)
    closed = constraint.advance(successors, torch.tensor([row(successors, 0).index(2)]))
    assert closed.occurrences.tolist() == [2]
    assert row(constraint.successors(closed), 0) == [EOS]


def test_tokens_and_rows_need_more_than_sixteen_bits() -> None:
    """Pitfall 7."""
    index = FMIndex.from_documents([[70_000, 200_000], [70_000, 131_072]], vocab_size=250_000)
    constraint = FMIndexConstraint(index, EOS)
    state = constraint.start(1, prefixes=[[70_000]])
    assert state.lo.dtype == np.int64
    assert row(constraint.successors(state), 0) == [131_072, 200_000]


def test_refusals() -> None:
    index = FMIndex.from_documents(DOCUMENTS)
    with pytest.raises(InputError, match="ends the model's output"):
        FMIndexConstraint(index, 3)
    with pytest.raises(UsageError, match="stop_count"):
        FMIndexConstraint(index, EOS, stop_count=-1)
    with pytest.raises(UsageError, match="cannot filter"):
        FMIndexConstraint(index, EOS).start(1, filters=[[0]])
    with pytest.raises(InputError, match="made for another model"):
        beam_search(random_markov(1, 5, 0), [0], FMIndexConstraint(index, EOS))
