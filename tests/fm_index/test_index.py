"""The index against its naive twin: hypothesis, exhaustive small texts, wide contexts, both profiles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from check import check_against_naive
from hypothesis import given, settings
from hypothesis import strategies as st

from fm_index import FMIndex, Profile, _core

PROFILES: list[Profile] = ["fast", "compact"]


def fibonacci(length: int) -> list[int]:
    a, b = [1], [1, 0]
    while len(b) < length:
        a, b = b, b + a
    return b[:length]


@st.composite
def corpora(draw: st.DrawFn) -> list[list[int]]:
    """Tiny and large alphabets, empty documents, repeats, periodic and Fibonacci texts."""
    largest = draw(st.sampled_from([0, 1, 2, 4, 49_999]))
    token = st.integers(0, largest)
    plain = st.lists(token, max_size=12)
    periodic = st.builds(
        lambda unit, n: (unit * n)[:20], st.lists(token, min_size=1, max_size=3), st.integers(1, 20)
    )
    fib = st.integers(1, 21).map(fibonacci)
    documents = draw(st.lists(st.one_of(plain, plain, periodic, fib), max_size=6))
    repeated = draw(st.lists(st.sampled_from(documents), max_size=2)) if documents else []
    return documents + repeated


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=800, deadline=None)
@given(documents=corpora())
def test_answers_equal_the_naive_twins(profile: Profile, documents: list[list[int]]) -> None:
    check_against_naive(FMIndex.from_documents(documents, profile=profile), documents, longest=3)


@pytest.mark.parametrize("profile", PROFILES)
def test_all_texts_over_three_symbols(profile: Profile) -> None:
    """Every text up to length 8, cut into documents in ways that vary with the text."""
    number = 0
    for length in range(9):
        for text in itertools.product(range(3), repeat=length):
            number += 1
            cut = number % (length + 1)
            documents = [list(text[:cut]), list(text[cut:])] if number % 3 else [list(text)]
            index = FMIndex.from_documents(documents, profile=profile)
            check_counts(index, documents)


def check_counts(index: FMIndex, documents: list[list[int]]) -> None:
    """Successors of every n-gram up to length 3, in one batch a length."""
    grams: dict[tuple[int, ...], dict[int, int]] = {}
    for tokens in documents:
        for i in range(len(tokens)):
            for size in range(min(3, i) + 1):
                below = grams.setdefault(tuple(tokens[i - size : i]), {})
                below[tokens[i]] = below.get(tokens[i], 0) + 1
    if not grams:
        return
    lo, hi = np.array([index.range(gram) for gram in grams], np.int64).T
    offsets, tokens, counts = index.successors(lo, hi)
    for b, expected in enumerate(grams.values()):
        part = slice(offsets[b], offsets[b + 1])
        assert list(zip(tokens[part].tolist(), counts[part].tolist(), strict=True)) == sorted(
            expected.items()
        )


@pytest.fixture(scope="module")
def large() -> list[list[int]]:
    """Enough rows of one token that some contexts' successors are stored, and several lines of everything."""
    random = np.random.default_rng(7)
    tokens = np.minimum(random.geometric(0.4, 60_000) - 1, 200)
    tokens[1000:1400] = tokens[3000:3400]
    cuts = np.sort(random.integers(0, len(tokens), 700))
    return [part.tolist() for part in np.split(tokens, cuts)]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("threads", [1, 3])
def test_wide_ranges(large: list[list[int]], profile: Profile, threads: int) -> None:
    index = FMIndex.from_documents(large, profile=profile, threads=threads)
    assert len(index._arrays["wide_rows"]) >= 4
    flat: list[int] = []
    for tokens in large:
        flat += [*tokens, -1]
    padded = np.array(flat)
    grams = [(), (0,), (1,), (0, 0), (0, 1), (5,), (0, 0, 0), (7, 3)] * 40
    lo, hi = np.array([index.range(gram) for gram in grams[:8]] * 40, np.int64).T
    offsets, tokens, counts = index.successors(lo, hi)
    for b, gram in enumerate(grams):
        after = padded[len(gram) :]
        follows = np.ones(len(after), bool)
        for i, token in enumerate(gram):
            follows &= padded[i : i + len(after)] == token
        expected = np.unique(after[follows & (after >= 0)], return_counts=True)
        part = slice(offsets[b], offsets[b + 1])
        np.testing.assert_array_equal((tokens[part], counts[part]), expected)
    index.verify()


@pytest.mark.parametrize("profile", PROFILES)
def test_threads_and_instruction_sets_agree(large: list[list[int]], profile: Profile) -> None:
    one = FMIndex.from_documents(large, profile=profile)
    three = FMIndex(one._arrays, one._meta)
    three.threads = 3
    base = FMIndex(one._arrays, one._meta)
    base._core = _core.Index(one._arrays, one.num_documents, one.vocab_size, profile == "compact", True)
    random = np.random.default_rng(3)
    lo = random.integers(0, one.num_rows, 700)
    hi = np.minimum(lo + random.integers(0, 2000, 700), one.num_rows)
    lo[::50], hi[::50] = one.range([0])  # stored
    lo, hi = np.tile(lo, 30), np.tile(hi, 30)  # threads share what is large
    tokens = random.integers(-1, 220, len(lo))
    scores = random.random((len(lo), one.vocab_size), np.float32)
    for other in (three, base):
        for ours, theirs in (
            (one.successors(lo, hi), other.successors(lo, hi)),
            (one.step(lo, hi, tokens), other.step(lo, hi, tokens)),
            (one.top_successors(lo, hi, scores, 7), other.top_successors(lo, hi, scores, 7)),
            (one.documents(lo, hi, 20), other.documents(lo, hi, 20)),
            ((one.locate(lo),), (other.locate(lo),)),
        ):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("profile", PROFILES)
def test_large_alphabets(profile: Profile) -> None:
    """More symbols than 16 bits hold, and token ids up to the largest."""
    random = np.random.default_rng(5)
    tokens = np.concatenate([random.permutation(70_000), [2**31 - 1, 2**31 - 2, 2**31 - 1]])
    index = FMIndex.build(tokens, [0, 40_000, len(tokens)], vocab_size=2**31, profile=profile)
    assert index._arrays["text"].dtype == np.uint32
    np.testing.assert_array_equal(index.extract(1), tokens[40_000:])
    assert index.count([2**31 - 1]) == 2
    assert index.successors(*np.array([index.range([2**31 - 1])]).T)[1].tolist() == [2**31 - 2]
    lo, _ = index.step(np.zeros(1000, np.int64), np.full(1000, index.num_rows), tokens[:1000])
    np.testing.assert_array_equal(index.locate(lo), np.arange(1000))
    index.verify()


@pytest.mark.parametrize("profile", PROFILES)
def test_deep_repetition_is_bounded(profile: Profile) -> None:
    """A text of one token has as many wide contexts as positions; only a few are stored."""
    index = FMIndex.build(np.zeros(40_000, np.int32), [0, 40_000], profile=profile)
    assert len(index._arrays["wide_rows"]) < 100
    assert index.count([0] * 39_990) == 11
    assert index.successors(*np.array([index.range([0] * 10)]).T)[2].tolist() == [39_990]
    index.verify()
