"""The commands that let a model write, with vLLM as what runs it, as they are typed; our own sampler beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genret.jobs.cache_folder import default_cache
from genret.models.smollm2 import smollm2_folder

PASSAGES = [
    (
        "a",
        "Alan Turing",
        "Alan Turing was an English mathematician who helped to break the Enigma cipher in 1941.",
    ),
    (
        "b",
        "Zebra",
        "Zebras are African animals with black and white stripes. They live in herds and eat grass.",
    ),
    ("c", "Paris", "Paris is the capital of France. The river Seine runs through it from east to west."),
    (
        "d",
        "Ada Lovelace",
        "Ada Lovelace wrote the first program for the Analytical Engine of Charles Babbage.",
    ),
]
QUERIES = [("q1", "who broke the enigma", "a"), ("q2", "what is the capital of france", "c")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    rows = [{"_id": one, "title": title, "text": text} for one, title, text in PASSAGES]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    queries = [{"_id": one, "text": text} for one, text, _ in QUERIES]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels").mkdir()
    judged = [f"{one}\t{passage}\t1" for one, _, passage in QUERIES]
    (folder / "qrels" / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
    return folder


def genret(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-m", "genret", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(folder: Path, output: str, model: str) -> list[dict[str, object]]:
    """What `queries generate` writes for the corpus with a model."""
    done = genret(
        folder, "queries", "generate", ".", "-o", output, "--model", model, "-n", "3",
        "--max-tokens", "16", "--round-trip", "none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return rows_of(folder / output / "queries.jsonl")


def test_queries_are_written(corpus: Path) -> None:
    model = str(smollm2_folder(default_cache("models")))
    served, own = (written(corpus, name, where + model) for name, where in [("served", "vllm:"), ("own", "")])
    for rows in (served, own):
        assert {row["passage_id"] for row in rows} == {one for one, _, _ in PASSAGES}
        texts = [str(row["text"]) for row in rows]
        assert all(text.strip() == text and "\n" not in text for text in texts)
        assert len(set(texts)) > len(PASSAGES)
    assert served[0].keys() == own[0].keys()
    # Again, and the job is done already: the same bytes, and no model is loaded.
    before = (corpus / "served" / "queries.jsonl").read_bytes()
    assert len(written(corpus, "served", "vllm:" + model)) == len(served)
    assert (corpus / "served" / "queries.jsonl").read_bytes() == before


def test_passages_are_imagined(corpus: Path) -> None:
    model = str(smollm2_folder(default_cache("models")))
    done = genret(
        corpus, "negatives", "imagine", ".", "-o", "imagined", "--split", "train",
        "--model", "vllm:" + model, "--max-tokens", "24", "-k", "3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = rows_of(corpus / "imagined" / "imagined.jsonl")
    assert [row["query_id"] for row in rows] == [one for one, _, _ in QUERIES]
    assert all(str(row["text"]).strip() for row in rows)
    run = (corpus / "imagined" / "negatives.run").read_text().splitlines()
    assert {line.split()[0] for line in run} == {one for one, _, _ in QUERIES}


@pytest.mark.parametrize(
    ("folder", "sentence"), [("vllm:nowhere/at/all", "no such folder"), ("vllm:.", "config.json")]
)
def test_a_wrong_folder_is_a_sentence(corpus: Path, folder: str, sentence: str) -> None:
    done = genret(corpus, "queries", "generate", "corpus.jsonl", "-o", "none", "--model", folder)
    assert done.returncode == 3
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
