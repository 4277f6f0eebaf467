"""Learned weights of evidence: toys whose optimum is known, and a run that learns them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from floats import assert_close
from scipy.optimize import check_grad
from tiny_ngrams import PASSAGES, marked_t5
from typer.testing import CliRunner

from genret.cli.app import app
from genret.recipes import evidence_weights
from genret.recipes.evidence_weights import Candidates, fitted_weights
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramRetriever


def test_the_weight_that_explains_how_often_evidence_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passages, of which the one with evidence is right three times of four: softmax(w, 0) is 3/4 at w = log 3."""
    monkeypatch.setattr(evidence_weights, "RIDGE", 0.0)
    sums = np.array([[1.0, 0.5], [0.0, 0.5]])
    first, second = np.array([True, False]), np.array([False, True])
    found = fitted_weights([Candidates(sums, right) for right in (first, first, second, first)])
    # What all passages have tells nothing, and has no weight.
    assert_close(found, [math.log(3), 0.0], within=1e-5)


def test_evidence_that_misleads_has_no_weight() -> None:
    sums = np.array([[0.0, 3.0], [1.0, 0.0], [2.0, 1.0]])
    found = fitted_weights([Candidates(sums, np.array([True, False, False]))])
    assert found[0] == 0 < found[1]


def test_queries_that_tell_nothing_change_nothing() -> None:
    one = Candidates(np.array([[2.0], [1.0]]), np.array([True, False]))
    silent = [Candidates(np.array([[5.0]]), np.array([right])) for right in (True, False)]
    other = Candidates(np.array([[1.0], [3.0]]), np.array([True, False]))
    assert_close(fitted_weights([one, *silent, other]), fitted_weights([one, other]), relative=1e-9)
    np.testing.assert_array_equal(fitted_weights(silent), [0.0])
    assert fitted_weights([]).shape == (0,)


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    candidates = [Candidates(rng.random((6, 3)), np.arange(6) == rng.integers(6)) for _ in range(5)] + [
        Candidates(rng.random((4, 3)), np.array([True, True, False, False]))
    ]
    point = rng.random(3)
    error = check_grad(
        lambda at: evidence_weights._loss(at, candidates)[0],
        lambda at: evidence_weights._loss(at, candidates)[1],
        point,
    )
    assert error < 1e-6


@pytest.mark.parametrize("held_back", [0.0, 0.5])
def test_a_run_learns_what_evidence_is_worth_from_queries_held_back(tmp_path: Path, held_back: float) -> None:
    marked_t5().save_pretrained(tmp_path / "t5")
    corpus = tmp_path / "corpus"
    (corpus / "qrels").mkdir(parents=True)
    rows = [{"_id": one.passage_id, "title": one.title, "text": one.text} for one in PASSAGES]
    (corpus / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"seine": "what is the seine", "rome": "city of rome", "alps": "mont blanc", "last": "a zebra"}
    queries = [{"_id": name, "text": text} for name, text in asked.items()]
    (corpus / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    lines = ["query-id\tcorpus-id\tscore", *(f"{name}\t{name}\t1" for name in asked)]
    (corpus / "qrels" / "train.tsv").write_text("\n".join(lines) + "\n")
    content = {
        "output": str(tmp_path / "run"),
        "data": {
            "corpus": str(corpus),
            "judgements": str(corpus / "qrels" / "train.tsv"),
            "held_back": held_back,
        },
        "model": {"kind": "encoder-decoder", "name": str(tmp_path / "t5")},
        "retrieval": {
            "num_beams": 2,
            "words": {},
            "scoring": {"lm_only": True},
            "views": {"body": {"length": 3}},
        },
    }
    config = tmp_path / "ngrams.yaml"
    config.write_text(yaml.safe_dump(content))
    result = CliRunner().invoke(app, ["train", str(config)])
    assert result.exit_code == 0, result.output
    told = "labelled queries held back" in result.output
    assert told == bool(held_back)
    made = load_retriever(tmp_path / "run" / "model")
    assert isinstance(made, NgramRetriever)
    assert made.lexicon is not None
    assert all(own.factors is not None for own in made.lexicon.readings.values())
    assert set(made.options.weights) == (set(made.options.evidence) if told else set())
    assert len(made.search("a zebra", 2)) == 2
