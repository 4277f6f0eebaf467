"""Any trie, any model, any beam: the engine finds what a beam search over lists finds, and its relatives agree."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from floats import FORWARD, LOGITS, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search, score_all, traced_beam_search
from tests.genret.decoding.markov import EOS, random_markov
from tests.genret.decoding.reference import Docid, distinct, exhaustive, simple_beam_search

VOCAB_SIZE, QUERIES = 8, 3
docid_lists = st.lists(st.lists(st.integers(2, 7), min_size=1, max_size=6), min_size=1, max_size=25)
scores = st.sampled_from(["full", "renormalised", "raw"])


def check_against_lists(
    docids: list[list[int]], num_beams: int, score: str, length_penalty: float, seed: int
) -> None:
    """Every hypothesis, its score and its documents, for a batch of queries."""
    model = random_markov(QUERIES, VOCAB_SIZE, seed)
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    documents = distinct(docids, EOS)
    options: dict[str, Any] = {"score": score, "length_penalty": length_penalty}
    found = beam_search(model, range(QUERIES), constraint, num_beams, max_length=7, **options)
    for query, hypotheses in enumerate(found):

        def logits_after(prefix: Docid, query: int = query) -> torch.Tensor:
            return model.tables[query, prefix[-1] if prefix else VOCAB_SIZE]

        expected = simple_beam_search(logits_after, list(documents), num_beams, score, length_penalty)
        assert [tuple(h.tokens) for h in hypotheses] == [sequence for sequence, _ in expected]
        assert_close(
            [h.score for h in hypotheses], [total for _, total in expected], ulps=FORWARD, scale=LOGITS
        )
        assert all(h.documents == documents[tuple(h.tokens)] for h in hypotheses)
        assert all(len(h.tokens) == len(h.token_log_probs) for h in hypotheses)


@given(docid_lists, st.integers(1, 6), scores, st.sampled_from([0.0, 0.6, -0.6]), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_the_engine_is_a_beam_search(
    docids: list[list[int]], num_beams: int, score: str, length_penalty: float, seed: int
) -> None:
    check_against_lists(docids, num_beams, score, length_penalty, seed)


@pytest.mark.soak
@given(docid_lists, st.integers(1, 9), scores, st.floats(-2, 2), st.integers(0, 10**9))
@settings(max_examples=5000, deadline=None)
def test_the_engine_is_a_beam_search_for_long(
    docids: list[list[int]], num_beams: int, score: str, length_penalty: float, seed: int
) -> None:
    check_against_lists(docids, num_beams, score, length_penalty, seed)


@given(docid_lists, scores, st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_a_beam_as_wide_as_the_docids_is_exhaustive(docids: list[list[int]], score: str, seed: int) -> None:
    model = random_markov(1, VOCAB_SIZE, seed)
    found = score_all(model, [0], TrieConstraint(DocidTrie.build(docids, EOS)), score=score)[0]
    expected = exhaustive(model, lambda n: [0] * n, list(distinct(docids, EOS)), score)
    assert [tuple(h.tokens) for h in found] == [sequence for sequence, _ in expected]
    assert_close([h.score for h in found], [total for _, total in expected], ulps=FORWARD, scale=LOGITS)


@given(docid_lists, st.integers(1, 4), scores, st.integers(0, 10_000), st.data())
@settings(max_examples=30, deadline=None)
def test_batch_trace_prefix_and_filter_agree(
    docids: list[list[int]], num_beams: int, score: str, seed: int, data: st.DataObject
) -> None:
    """A batch is its queries; a traced search is the search; a filter by all documents is none."""
    model = random_markov(QUERIES, VOCAB_SIZE, seed)
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    every = list(range(len(docids)))
    some = st.lists(st.sampled_from(every))
    filters = [data.draw(st.none() | some) for _ in range(QUERIES)]
    options: dict[str, Any] = {"num_beams": num_beams, "score": score}
    found = beam_search(model, range(QUERIES), constraint, filters=filters, **options)
    for query, row in enumerate(found):
        alone = beam_search(model, [query], constraint, filters=[filters[query]], **options)[0]
        assert alone == row
        kept = every if filters[query] is None else sorted(set(filters[query] or []))
        subset = TrieConstraint(DocidTrie.build([docids[i] for i in kept], EOS))
        rebuilt = beam_search(model, [query], subset, **options)[0]
        assert [h.tokens for h in rebuilt] == [h.tokens for h in row]
        assert [[kept[i] for i in h.documents] for h in rebuilt] == [h.documents for h in row]
    traced, _ = traced_beam_search(model, range(QUERIES), constraint, filters=[None, every, None], **options)
    plain = beam_search(model, range(QUERIES), constraint, **options)
    assert [[h.tokens for h in row] for row in traced] == [[h.tokens for h in row] for row in plain]


def test_a_batch_of_64_is_64_queries() -> None:
    generator = torch.Generator().manual_seed(0)
    docids = torch.randint(2, 30, (500, 5), generator=generator).tolist()
    model = random_markov(64, 30, 1)
    constraint = TrieConstraint(DocidTrie.build(docids, EOS))
    together = beam_search(model, range(64), constraint, num_beams=5)
    assert together == [beam_search(model, [query], constraint, num_beams=5)[0] for query in range(64)]
