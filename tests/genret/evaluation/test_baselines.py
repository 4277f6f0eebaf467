"""BM25 against its formula, the dense retriever and the hybrid against sorts of all passages."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from floats import SINGLE, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.corpus import Passage, PassageStore, Query
from genret.evaluation import (
    BM25,
    BM25_PLAIN,
    BM25_TUNED,
    Bm25Options,
    baselines,
    bm25_run,
    dense_run,
    hybrid_run,
)

WORDS = ["red", "green", "blue", "x", "7"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
corpora = st.lists(st.tuples(st.sampled_from(["", "red", "blue x"]), sentences), min_size=1, max_size=7).map(
    lambda rows: [Passage(f"p{i}", title, text) for i, (title, text) in enumerate(rows)]
)


def slow_bm25(passages: Sequence[Passage], question: str, found: Bm25Options) -> list[tuple[str, float]]:
    """Robertson's formula with Lucene's idf, a word counted as often as the question holds it."""
    documents = [
        re.findall(r"\w+", " ".join([p.title] * found.title_weight + [p.text]).lower()) for p in passages
    ]
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for passage, words in zip(passages, documents, strict=True):
        score, counts = 0.0, Counter(words)
        for word in re.findall(r"\w+", question.lower()):
            with_word = sum(word in document for document in documents)
            if not with_word:
                continue
            idf = math.log(1 + (len(documents) - with_word + 0.5) / (with_word + 0.5))
            length = 1 - found.b + found.b * len(words) / average
            score += idf * counts[word] / (counts[word] + found.k1 * length)
        if score > 0:
            scores.append((passage.passage_id, score))
    return scores


@settings(max_examples=60, deadline=None)
@given(passages=corpora, question=sentences, k=st.integers(1, 9), title_weight=st.integers(1, 3))
def test_bm25_equals_its_formula(passages: list[Passage], question: str, k: int, title_weight: int) -> None:
    found = Bm25Options(k1=1.3, b=0.6, title_weight=title_weight)
    hits = BM25(passages, found).search([question], k)[0]
    expected = dict(slow_bm25(passages, question, found))
    assert len(hits) == min(k, len(expected))
    ordered = [score for _, score in hits]
    assert_close(ordered, sorted(expected.values(), reverse=True)[: len(hits)], relative=SINGLE)
    for passage_id, score in hits:
        assert_close(score, expected[passage_id], relative=SINGLE)


def test_equal_scores_come_in_corpus_order_and_zero_scores_not_at_all() -> None:
    passages = [Passage(name, "", "same words") for name in "zyx"] + [Passage("other", "", "nothing else")]
    run = bm25_run(passages, [Query("q1", "same"), Query("q2", "unknown"), Query("q3", "?!")], k=2)
    assert [passage_id for passage_id, _ in run["q1"]] == ["z", "y"]
    assert run["q2"] == []
    assert run["q3"] == []


def test_tuned_settings_stem_fold_accents_and_count_titles() -> None:
    passages = [
        Passage("a", "Cafés", "opening hours in the morning"),
        Passage("b", "Hours", "of cafes and cafes and cafes"),
    ]
    assert [hit[0] for hit in BM25(passages, BM25_TUNED).search(["opened café"], 2)[0]] == ["a", "b"]
    assert BM25(passages, BM25_PLAIN).search(["opened café"], 2)[0] == []
    assert BM25(passages, BM25_TUNED).search(["the"], 2)[0] == []


class HashEncoder:
    """Unit vectors from the letters of a text."""

    dimension, fingerprint = 26, "letters"

    def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> np.ndarray:
        counts = np.zeros((len(texts), 26), np.float32)
        for row, text in enumerate(texts):
            for letter in re.findall("[a-z]", text.lower()):
                counts[row, ord(letter) - ord("a")] += 1
        report.advance(len(texts))
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_dense_run_equals_a_sort_of_all_products(tmp_path: Path, cached: bool, stored: bool) -> None:
    rng = np.random.default_rng(0)
    words = ["".join(chr(97 + c) for c in rng.integers(26, size=5)) for _ in range(40)]
    listed = [Passage(f"p{i}", words[i], words[-i - 1]) for i in range(30)]
    queries = [Query(f"q{i}", words[3 * i]) for i in range(8)]
    passages = PassageStore.build(listed) if stored else listed
    run = dense_run(passages, queries, HashEncoder(), k=5, cache=tmp_path / "new" if cached else None)

    class Silent:
        def advance(self, n: int = 1) -> None: ...

    vectors, asked = (
        HashEncoder().embed(texts, report=Silent()).astype(np.float16).astype(np.float32)
        for texts in ([f"{p.title}. {p.text}" for p in listed], [q.text for q in queries])
    )
    for query, products in zip(queries, asked @ vectors.T, strict=True):
        expected = sorted(range(30), key=lambda row: (-products[row], row))[:5]
        assert [passage_id for passage_id, _ in run[query.query_id]] == [f"p{row}" for row in expected]
    assert len(list(tmp_path.rglob("*.vectors"))) == (2 if cached else 0)


@settings(max_examples=60, deadline=None)
@given(
    passages=corpora,
    questions=st.lists(sentences, max_size=5),
    k=st.integers(1, 9),
    weight=st.sampled_from([0.0, 0.01, 2.0]),
    block=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_the_hybrid_equals_a_sort_of_the_sums(
    passages: list[Passage], questions: list[str], k: int, weight: float, block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(passages), 3)).astype(np.float16)
    asked = rng.normal(size=(len(questions), 3)).astype(np.float16)
    queries = [Query(f"q{number}", text) for number, text in enumerate(questions)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "HYBRID_BLOCK", block)
        run = hybrid_run(queries, asked, vectors, BM25(passages), k, weight)
    assert list(run) == [query.query_id for query in queries]
    for query, vector in zip(queries, asked, strict=True):
        words = dict(slow_bm25(passages, query.text, BM25_PLAIN))
        sums = {
            one.passage_id: sum(float(a) * float(b) for a, b in zip(vector, own, strict=True))
            + weight * words.get(one.passage_id, 0.0)
            for one, own in zip(passages, vectors, strict=True)
        }
        hits = run[query.query_id]
        assert len(hits) == len(dict(hits)) == min(k, len(passages))
        # As SINGLE, 160 operations of half a unit each; at the size of the terms, which may cancel.
        size = float(np.abs(vector).sum() * np.abs(vectors).max() + weight * max(words.values(), default=0.0))
        for (passage_id, score), best in zip(hits, sorted(sums.values(), reverse=True), strict=False):
            assert_close([score, score], [sums[passage_id], best], ulps=80, scale=size)


def test_equal_sums_come_in_corpus_order_and_every_passage_is_ranked() -> None:
    passages = [Passage(name, "", "same words") for name in "zyx"] + [Passage("other", "", "nothing else")]
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    queries = [Query("q1", "same"), Query("q2", "unknown")]
    run = hybrid_run(queries, np.array([[1, 0], [1, 0]], np.float32), vectors, BM25(passages))
    assert [passage_id for passage_id, _ in run["q1"]] == ["z", "y", "other", "x"]
    assert run["q2"] == [("z", 1.0), ("y", 1.0), ("other", 1.0), ("x", 0.0)]


def test_full_text_joins_title_and_text() -> None:
    assert Passage("a", "Title", "Text.").full_text == "Title. Text."
    assert Passage("a", "", "Text.").full_text == "Text."
