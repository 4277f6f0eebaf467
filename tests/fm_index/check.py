"""Compares an index with its naive twin, call by call."""

from __future__ import annotations

import itertools
from collections import Counter

import naive
import numpy as np

from fm_index import FMIndex


def check_against_naive(index: FMIndex, documents: naive.Documents, longest: int = 4) -> None:
    """Every call, on every n-gram up to a length and on n-grams that do not occur."""
    assert index.num_documents == len(documents)
    assert index.num_tokens == sum(map(len, documents))
    known = naive.ngrams(documents, longest)
    used = sorted({token for tokens in documents for token in tokens})
    absent = [(max(used, default=0) + 1,), (-1,), (2**31 + 5,)]
    crossing = [(a[-1], b[0]) for a, b in itertools.pairwise(documents) if len(a) and len(b)]
    ngrams = [*known, *absent, *crossing]
    ranges = [index.range(ngram) for ngram in ngrams]
    check_places(index, documents, ngrams, ranges)
    for ngram in ngrams[:3]:
        assert index.document_frequency(ngram) == len({d for d, _ in naive.ends(documents, ngram)}), ngram
    check_batches(index, documents, ngrams, ranges)
    check_start(index, documents)
    check_texts(index, documents)


def check_places(
    index: FMIndex,
    documents: naive.Documents,
    ngrams: list[tuple[int, ...]],
    ranges: list[tuple[int, int]],
) -> None:
    rows = np.concatenate([np.arange(lo, hi) for lo, hi in ranges])
    found, owners = index.locate(rows), index.documents_of(rows)
    at = 0
    for ngram, (lo, hi) in zip(ngrams, ranges, strict=True):
        occurrences = naive.ends(documents, ngram)
        assert hi - lo == len(occurrences), ngram
        part = slice(at, at + hi - lo)
        assert sorted(found[part]) == naive.positions(documents, ngram), ngram
        assert sorted(owners[part]) == sorted(d for d, _ in occurrences), ngram
        at += hi - lo


def check_batches(
    index: FMIndex,
    documents: naive.Documents,
    ngrams: list[tuple[int, ...]],
    ranges: list[tuple[int, int]],
) -> None:
    lo, hi = np.array(ranges, np.int64).T
    offsets, tokens, counts = index.successors(lo, hi)
    assert offsets[0] == 0
    assert offsets[-1] == len(tokens) == len(counts)
    for b, ngram in enumerate(ngrams):
        found = zip(tokens[offsets[b] : offsets[b + 1]], counts[offsets[b] : offsets[b + 1]], strict=True)
        assert [(int(t), int(c)) for t, c in found] == list(naive.successors(documents, ngram).items()), ngram
    parents = np.repeat(np.arange(len(ngrams)), np.diff(offsets))
    below = index.children(lo[parents], hi[parents], tokens, counts)
    stepped = index.step(lo[parents], hi[parents], tokens)
    np.testing.assert_array_equal(below, stepped)
    check_documents(index, documents, ngrams, lo, hi)
    check_top(index, lo, hi)


def check_documents(
    index: FMIndex, documents: naive.Documents, ngrams: list[tuple[int, ...]], lo: np.ndarray, hi: np.ndarray
) -> None:
    offsets, found, counts = index.documents(lo, hi, occurrences=True)
    few_offsets, few = index.documents(lo, hi, limit=2)
    for b, ngram in enumerate(ngrams):
        part = slice(offsets[b], offsets[b + 1])
        expected = Counter(d for d, _ in naive.ends(documents, ngram))
        assert list(zip(found[part].tolist(), counts[part].tolist(), strict=True)) == sorted(expected.items())
        chosen = few[few_offsets[b] : few_offsets[b + 1]].tolist()
        assert len(chosen) == min(2, len(expected))
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(expected)


def check_top(index: FMIndex, lo: np.ndarray, hi: np.ndarray) -> None:
    """The fused call against sorting all successors; few distinct scores make ties."""
    lo, hi = lo[: 1 + 10_000 // index.vocab_size], hi[: 1 + 10_000 // index.vocab_size]
    scores = np.random.default_rng(len(lo)).integers(0, 4, (len(lo), index.vocab_size)).astype(np.float32)
    offsets, tokens, counts = index.successors(lo, hi)
    for k in (1, 3, 100):
        best_offsets, best_tokens, best_counts = index.top_successors(lo, hi, scores, k)
        for b in range(len(lo)):
            part = slice(offsets[b], offsets[b + 1])
            order = np.lexsort((tokens[part], -scores[b, tokens[part]]))[:k]
            order.sort()
            best = slice(best_offsets[b], best_offsets[b + 1])
            np.testing.assert_array_equal(best_tokens[best], tokens[part][order])
            np.testing.assert_array_equal(best_counts[best], counts[part][order])


def check_start(index: FMIndex, documents: naive.Documents) -> None:
    lo, hi = index.document_start()
    _, tokens, counts = index.successors([lo], [hi])
    expected = naive.first_tokens(documents)
    assert dict(zip(tokens.tolist(), counts.tolist(), strict=True)) == expected
    for token in expected:
        start, stop = index.step([lo], [hi], [token])
        found = index.documents(start, stop)[1].tolist()
        assert found == [d for d, tokens in enumerate(documents) if len(tokens) and tokens[0] == token]
    assert index.documents_of(np.arange(lo, hi)).tolist() == list(range(len(documents)))


def check_texts(index: FMIndex, documents: naive.Documents) -> None:
    order = np.arange(len(documents))[::-1]
    offsets, tokens = index.extract_many(order)
    for place, d in enumerate(order):
        assert tokens[offsets[place] : offsets[place + 1]].tolist() == list(documents[d])
    if documents:
        assert index.extract(0).tolist() == list(documents[0])
    index.verify()
