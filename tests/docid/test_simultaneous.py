"""Scores of all documents at once against the same in numpy, to the last bit; what is out of bounds is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docid import _core
from docid.errors import InputError
from docid.ragged import as_ragged
from docid.simultaneous import SimultaneousScorer, WeightedTokens, best_documents
from docid.words import WordSets

WORDS = 11


def slow_scores(
    scorer: SimultaneousScorer, tables: npt.NDArray[Any], query: WeightedTokens
) -> npt.NDArray[Any]:
    """One float32 addition after the other, in the order that the module promises."""
    sums = np.zeros((len(tables), scorer.num_documents), np.float32)
    for number, own in enumerate(tables):
        if scorer.codes is not None:
            for table, codes in zip(own, scorer.codes, strict=True):
                sums[number] += table[codes]
        if scorer.words is not None:
            documents = np.arange(scorer.num_documents)
            for entry in range(query.offsets[number], query.offsets[number + 1]):
                shares = scorer.words.shares(query.tokens[entry : entry + 1], documents)[0]
                sums[number] += query.weights[entry] * shares
    return sums


@given(
    st.integers(0, 3),
    st.integers(1, 11),
    st.sampled_from([1, 3, 200, 2047, 2048, 2049, 9000]),
    st.sampled_from([(np.uint8, 256), (np.uint8, 3), (np.uint16, 700)]),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_codes_alone(
    queries: int, levels: int, documents: int, kind: tuple[type, int], threads: int, seed: int
) -> None:
    random, (dtype, width) = np.random.default_rng(seed), kind
    codes = random.integers(0, width, (levels, documents)).astype(dtype)
    tables = random.normal(size=(queries, levels, width + 2)).astype(np.float32)
    scorer = SimultaneousScorer(codes, width, threads=threads)
    none = WeightedTokens(np.zeros(queries + 1, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    assert np.array_equal(scorer.scores(tables, none), slow_scores(scorer, tables, none))


@given(st.integers(0, 3), st.integers(0, 40), st.booleans(), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_words_with_and_without_codes(
    queries: int, documents: int, with_codes: bool, threads: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    texts = [random.integers(0, WORDS, random.integers(0, 9)).tolist() for _ in range(documents)]
    words = WordSets.choose(as_ragged(texts), WORDS, limit=5)
    codes = random.integers(0, 4, (2, documents)).astype(np.uint8) if with_codes else None
    counts = random.integers(0, 6, queries)
    query = WeightedTokens(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        random.integers(0, WORDS, counts.sum()),
        random.normal(size=counts.sum()).astype(np.float32),
    )
    tables = random.normal(size=(queries, 2, 4)).astype(np.float32)
    scorer = SimultaneousScorer(codes, 4, words, threads=threads)
    assert np.array_equal(scorer.scores(tables, query), slow_scores(scorer, tables, query))


@given(
    st.lists(st.sampled_from([-np.inf, np.nan, -1.0, 0.0, 0.5, 2.0]), max_size=3000),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 9),
)
def test_the_best(values: list[float], k: int, some: bool, seed: int) -> None:
    scores = np.array(values, np.float32)
    legal = np.random.default_rng(seed).random(len(scores)) < 0.5 if some else None
    allowed = [
        number for number, value in enumerate(scores) if value > -np.inf and (legal is None or legal[number])
    ]
    expected = sorted(allowed, key=lambda number: (-scores[number], number))[:k]
    documents, found = best_documents(scores, k, legal)
    assert documents.tolist() == expected
    assert np.array_equal(found, scores[expected])


def test_the_best_of_many_is_cut_more_than_once() -> None:
    scores = np.random.default_rng(0).permutation(50_000).astype(np.float32)
    assert best_documents(scores, 7)[0].tolist() == np.argsort(-scores)[:7].tolist()
    rising = np.arange(50_000, dtype=np.float32)
    assert best_documents(rising, 3)[0].tolist() == [49_999, 49_998, 49_997]


def test_no_documents_at_all() -> None:
    scorer = SimultaneousScorer(np.empty((2, 0), np.uint8), 4)
    assert scorer.code_scores(np.zeros((1, 2, 4), np.float32)).shape == (1, 0)
    assert best_documents(np.empty(0, np.float32), 3)[0].tolist() == []


def test_codes_and_words_that_do_not_belong_are_sentences() -> None:
    codes = np.array([[0, 5]], np.uint8)
    with pytest.raises(InputError, match="document 1 has code 5 at level 0, expected below 5"):
        SimultaneousScorer(codes, 5)
    with pytest.raises(InputError, match="expected a contiguous array of uint8 or uint16"):
        SimultaneousScorer(codes.astype(np.int64), 6)
    with pytest.raises(InputError, match="of 1 documents, the codes are of 2"):
        SimultaneousScorer(codes, 6, WordSets.choose(as_ragged([[1]]), WORDS))
    with pytest.raises(InputError, match="found neither"):
        SimultaneousScorer(None, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": np.array([WORDS])}, r"tokens\[0\]: expected 0 to 10"),
        ({"tokens": np.array([-1])}, r"tokens\[0\]"),
        ({"query_offsets": np.array([0, 2])}, "query_offsets"),
        ({"query_offsets": np.array([1, 0])}, "query_offsets"),
        ({"offsets": np.arange(WORDS + 1) * 2}, "lie outside"),
        ({"postings": np.array([9 << 4], np.uint32)}, "leads to document 9 of 3"),
        ({"shares": np.ones(15, np.float32)}, "shares: expected 16, one a level, found 15"),
        ({"weights": np.zeros(2, np.float32)}, "weights: expected one for each token"),
        ({"out": np.zeros((2, 3), np.float32)}, "out: expected a row for each query"),
        ({"threads": 0}, "threads"),
    ],
)
def test_word_arguments_out_of_bounds_are_refused(change: dict[str, object], message: str) -> None:
    arguments: dict[str, Any] = {
        "offsets": np.minimum(np.arange(WORDS + 1), 1),
        "postings": np.array([7], np.uint32),
        "shares": np.ones(16, np.float32),
        "query_offsets": np.array([0, 1]),
        "tokens": np.array([0]),
        "weights": np.ones(1, np.float32),
        "out": np.zeros((1, 3), np.float32),
        "threads": 1,
    }
    _core.score_words(**arguments)
    with pytest.raises(ValueError, match=message):
        _core.score_words(**{**arguments, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"codes": np.zeros((2, 3), np.float32)}, TypeError, "codes"),
        ({"codes": np.zeros((3, 2), np.uint8).T}, TypeError, "contiguous"),
        ({"tables": np.zeros((1, 2, 3), np.float32)}, ValueError, "expected 4 columns"),
        ({"tables": np.zeros((1, 3, 4), np.float32)}, ValueError, "a table for each of 2 levels"),
        ({"tables": np.zeros((2, 2, 4), np.float32)}, ValueError, "a row for each query"),
        ({"out": np.zeros((1, 4), np.float32)}, ValueError, "a column for each document"),
        ({"threads": 2000}, ValueError, "threads"),
    ],
)
def test_code_arguments_out_of_bounds_are_refused(
    change: dict[str, object], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {
        "codes": np.zeros((2, 3), np.uint8),
        "width": 4,
        "tables": np.zeros((1, 2, 4), np.float32),
        "out": np.zeros((1, 3), np.float32),
        "threads": 1,
    }
    _core.sum_codes(**arguments)
    with pytest.raises(error, match=message):
        _core.sum_codes(**{**arguments, **change})


def test_counts_and_masks_out_of_bounds_are_refused() -> None:
    scores = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        best_documents(scores, 0)
    with pytest.raises(ValueError, match="legal: expected one for each"):
        best_documents(scores, 1, np.ones(2, bool))
