"""The benchmark of words beside n-grams, on a corpus of five passages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.ngrams import words
from genret.retrieval.ngrams.lexicon import Lexicon
from genret.words import WordOptions
from tests.genret.backbones import sentence_encoder

TEXTS = {
    "p1": "a river in france",
    "p2": "the city of rome",
    "p3": "mountains of europe",
    "p4": "stripes",
    "p5": "rain",
}
QUERIES = {"q1": "which river", "q2": "where is rome", "q3": "high mountains", "q4": "who has stripes"}


def write(folder: Path) -> Path:
    (folder / "qrels").mkdir()
    rows = [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": name, "text": text} for name, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    pairs = {"train": [("q1", "p1"), ("q2", "p2"), ("q3", "p3")], "dev": [("q4", "p4"), ("q1", "p1")]}
    for split, judged in pairs.items():
        lines = ["query-id\tcorpus-id\tscore", *(f"{query}\t{passage}\t1" for query, passage in judged)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("train", ["train", ""])
def test_every_way_has_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], train: str
) -> None:
    monkeypatch.setattr(words, "HELD", 2)
    tokenizer = sentence_encoder().tokenizer
    monkeypatch.setattr(words, "made", lambda passages: Lexicon.of(passages, tokenizer, WordOptions()))
    folder = write(tmp_path)
    monkeypatch.setattr(sys, "argv", ["words", str(folder), "--train", train, "--metrics", "hit@1"])
    words.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    names = [row.split("|")[1].strip() for row in rows][2:]
    idf, relevance = (
        [f"{what}, by {way}" for what in ("whole words", "beginnings", "both")]
        for way in ("idf", "relevance")
    )
    seeds = [f"both, by relevance, seed {seed}" for seed in (1, 2, 3)]
    assert names == ["BM25", "BM25, tuned", *idf, *(relevance + seeds if train else [])]
    assert "| both, by idf | 2 | 1.000" in "\n".join(rows)


def test_questions_of_a_passage_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "HELD", 1)
    judged = {"a": {"p": 1}, "b": {"p": 1}, "c": {"q": 1}}
    counted, held = words.split_by_passage(judged)
    assert {tuple(counted), tuple(held)} == {("a", "b"), ("c",)}
