"""`genret search` as a user calls it: a question, a file of queries, and where a passage was lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genret.cli.app import app
from genret.corpus import read_run
from genret.retrieval.docids import GenerativeRetriever

QUESTION = "where lies the river near rome"


@pytest.fixture
def model(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> Path:
    tiny_retriever.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def genret(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_question(model: Path, tiny_retriever: GenerativeRetriever) -> None:
    hits = tiny_retriever.search(QUESTION, k=3)
    assert len(hits) == 3
    lines = genret("search", model, QUESTION, "-k", 3).splitlines()
    assert [line.split()[2] for line in lines] == [hit.passage_id for hit in hits]
    rows = [json.loads(line) for line in genret("search", model, QUESTION, "-k", 3, "--json").splitlines()]
    assert [row["passage_id"] for row in rows] == [hit.passage_id for hit in hits]
    assert all(row["text"].startswith("the ") for row in rows)
    assert "the " in genret("search", model, QUESTION, "-k", 1, "--text").splitlines()[1]


def test_a_question_of_which_the_model_knows_nothing_is_told_of(model: Path) -> None:
    for question, told in ((QUESTION, False), ("\U0001f980 \U0001f40c", True), ("\U0001f980 rome", False)):
        result = CliRunner().invoke(app, ["search", str(model), question], catch_exceptions=False)
        assert len(result.stdout.splitlines()) >= 3
        assert ("vocabulary has nothing that stands in this query" in result.stderr) == told


def test_a_file_of_queries(model: Path, tmp_path: Path, tiny_retriever: GenerativeRetriever) -> None:
    texts = {"q1": QUESTION, "q2": "who"}
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(json.dumps({"_id": query_id, "text": text}) for query_id, text in texts.items())
    )
    genret("search", model, "--queries", tmp_path / "queries.jsonl", "--output", tmp_path / "a.run", "-k", 4)
    run = read_run(tmp_path / "a.run")
    assert list(run) == ["q1", "q2"]
    for query_id, text in texts.items():
        assert [hit[0] for hit in run[query_id]] == [hit.passage_id for hit in tiny_retriever.search(text, 4)]


def test_where_a_passage_was_lost_or_found(
    model: Path, tmp_path: Path, tiny_retriever: GenerativeRetriever
) -> None:
    ranked = [hit.passage_id for hit in tiny_retriever.search(QUESTION, k=16)]
    found = genret("search", model, QUESTION, "--gold", ranked[0], "--beams", 16)
    assert "returned at rank 1 of 16" in found
    picture = tmp_path / "beam.html"
    lost = genret("search", model, QUESTION, "--gold", ranked[-1], "--beams", 1, "--output", picture)
    assert "LOST" in lost
    assert "lost at step 0" in lost
    assert "<svg" in picture.read_text()
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "q7", "text": QUESTION}))
    by_id = ("--queries", tmp_path / "queries.jsonl", "--trace", "q7", "--beams", 16)
    assert genret("search", model, *by_id, "--gold", ranked[0]) == found
