"""Queries that are passages themselves: every command that writes or scores a run can leave their own passage out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret
from tiny_sentence_encoder import write_encoder

from genret.corpus import Passage, read_run
from genret.retrieval.docids import GenerativeRetriever

K = 4
ALL = 16
DROP = "--drop-identical-ids"


@pytest.fixture
def corpus(passages: list[Passage], tmp_path: Path) -> Path:
    """Four queries, three of which are passages, to the letter and by their ids; the fourth has another id."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = [{"_id": one.passage_id, "title": one.title, "text": one.text} for one in passages]
    asked = [
        *({"_id": row["_id"], "text": row["text"]} for row in rows[:3]),
        {"_id": "q", "text": rows[3]["text"]},
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    return folder


@pytest.mark.parametrize("command", ["bm25", "dense", "search", "batch"])
def test_a_run_without_them_is_the_deeper_run_without_them(
    command: str,
    corpus: Path,
    tmp_path: Path,
    tiny_retriever: GenerativeRetriever,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_retriever.save_pretrained(tmp_path / "model")
    encoder = write_encoder(tmp_path / "encoder")
    words: dict[str, list[object]] = {
        "bm25": ["baseline", "bm25", corpus],
        "dense": ["baseline", "dense", corpus, "--encoder", encoder, "--cache", tmp_path / "cache"],
        "search": ["search", tmp_path / "model", "--queries", corpus],
        "batch": ["batch", tmp_path / "model", corpus],
    }

    def found(name: str, *options: object) -> dict[str, list[str]]:
        output = tmp_path / name
        given = [*words[command], "--output", output, "--format", "genret-run", *options]
        assert genret(monkeypatch, *given) == 0
        return {query_id: [hit[0] for hit in hits] for query_id, hits in read_run(output).items()}

    everything = found("all", "-k", ALL)
    assert any(query_id in ids[:K] for query_id, ids in everything.items())
    expected = {query_id: [one for one in ids if one != query_id][:K] for query_id, ids in everything.items()}
    assert found("dropped", "-k", K, DROP) == expected


def test_batch_goes_on_only_as_it_was_begun(
    corpus: Path,
    tmp_path: Path,
    tiny_retriever: GenerativeRetriever,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny_retriever.save_pretrained(tmp_path / "model")
    arguments = ["batch", tmp_path / "model", corpus, "-o", tmp_path / "out", "--shard", "0/2", "--chunk", 1]
    assert genret(monkeypatch, *arguments) == 0
    assert genret(monkeypatch, *arguments, "--resume", DROP) == 3
    assert "drop_identical was None and is True" in capsys.readouterr().err


def test_one_question_has_no_id(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert genret(monkeypatch, "search", corpus, "who", DROP) == 2
    assert "one question has no id" in capsys.readouterr().err
