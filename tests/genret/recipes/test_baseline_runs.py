"""Every baseline beside what it stands for, made one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from floats import FORWARD, assert_close

from genret.corpus import Passage, Query
from genret.evaluation import BM25, BM25_PLAIN, BM25_TUNED, bm25_run, hybrid_run, nearest_run
from genret.jobs.stages import Stages
from genret.recipes.baseline_runs import BASELINES, Baselines, labelled_rows
from genret.retrieval.fusion import fuse_runs

LETTERS = "abcdefgh"
TITLES = ["running dogs", "a run of cats", "dogs", "cats", "birds that run"]
PASSAGES = [Passage(f"p{row}", title, f"{title} and {LETTERS[row:]}") for row, title in enumerate(TITLES)]
QUERIES = [Query("q1", "dogs that run"), Query("q2", "bd ce"), Query("q3", "cats")]
IDS = [passage.passage_id for passage in PASSAGES]


class LetterEncoder:
    """Unit vectors from the letters of a text."""

    dimension, fingerprint = len(LETTERS), "the first letters"

    def embed(self, texts: Sequence[str], max_length: int = 256, *, report: Any = None) -> np.ndarray:
        counts = np.array([[1 + text.count(letter) for letter in LETTERS] for text in texts], np.float32)
        report.advance(len(texts))
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def embedded(texts: Sequence[str]) -> np.ndarray:
    return LetterEncoder().embed(texts, report=Silent()).astype(np.float16).astype(np.float32)


class Silent:
    def advance(self, count: int = 1) -> None: ...


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_labels_there_are_five() -> None:
    vectors, asked = embedded([p.full_text for p in PASSAGES]), embedded([q.text for q in QUERIES])
    stages, k = Stages(), 3
    runs = Baselines(PASSAGES, vectors, LetterEncoder()).ask(QUERIES, k, stages)
    tuned = bm25_run(PASSAGES, QUERIES, 100, BM25_TUNED)
    dense = nearest_run(QUERIES, asked, IDS, vectors, 100)
    assert list(runs) == list(BASELINES[:5])
    assert runs == {
        "BM25": bm25_run(PASSAGES, QUERIES, k, BM25_PLAIN),
        "BM25, tuned": {query_id: hits[:k] for query_id, hits in tuned.items()},
        "dense": {query_id: hits[:k] for query_id, hits in dense.items()},
        "hybrid": hybrid_run(QUERIES, asked, vectors, BM25(PASSAGES, BM25_TUNED), k),
        "RRF": fuse_runs([tuned, dense], method="reciprocal", depth=k, passage_ids=IDS),
    }
    assert runs["BM25"]["q2"] == []
    assert len(runs["hybrid"]["q2"]) == k
    assert len(stages.finished) == 4


def test_labels_turn_the_queries_of_dense_and_hybrid() -> None:
    """Training queries speak a little more of the next passage than of their own."""
    passages = [Passage(f"p{row}", "", 40 * LETTERS[row] + row % 2 * " run") for row in range(5)]
    vectors = embedded([p.full_text for p in passages])
    labelled = [(20 * LETTERS[row] + 21 * LETTERS[(row + 1) % 5] + " run", row) for row in range(5)]
    queries = [Query(f"q{row}", text) for row, (text, _) in enumerate(labelled)]
    runs = Baselines(passages, vectors, LetterEncoder(), labelled).ask(queries, 5, Stages())
    assert list(runs) == list(BASELINES)
    right = {f"q{row}": f"p{row}" for row in range(5)}

    def found(name: str) -> int:
        return sum(runs[name][query_id][0][0] == passage_id for query_id, passage_id in right.items())

    assert found("dense") == 0
    assert found("dense, fine-tuned") == 5
    # Unit vectors: the products of both are cosines, and what words add is what they add to the hybrid.
    words = bm25_run(passages, queries, 5, BM25_TUNED)
    assert len(words["q0"]) == 2
    for query_id, hits in runs["hybrid, fine-tuned"].items():
        cosines, added = dict(runs["dense, fine-tuned"][query_id]), dict(words[query_id])
        assert max(cosines.values()) <= 1 + 1e-5
        for passage_id, score in hits:
            expected = cosines[passage_id] + 0.01 * added.get(passage_id, 0.0)
            assert_close(score, expected, ulps=FORWARD, scale=1.0)


def test_labelled_rows_are_the_right_passages_that_are_there() -> None:
    train = {"a": {"p1": 1, "p0": 0}, "b": {"p0": 2, "gone": 1, "p1": 1}}
    assert labelled_rows(train, {"a": "one", "b": "two"}, ["p0", "p1"]) == [
        ("one", 1),
        ("two", 0),
        ("two", 1),
    ]
