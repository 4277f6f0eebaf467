"""`genret compare`, and what it shares with `genret eval`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import genret

PASSAGES = [
    {
        "wikipedia_id": "1",
        "wikipedia_title": "Ada",
        "text": ["Ada Lovelace\n", "She wrote the first program.\n"],
    },
    {"wikipedia_id": "2", "wikipedia_title": "Bob", "text": ["Bob\n", "He did not.\n"]},
]
GOLD = [
    {
        "id": "q1",
        "input": "who wrote it",
        "output": [{"answer": "Ada", "provenance": [{"wikipedia_id": "1"}]}],
    },
    {"id": "q2", "input": "who did not", "output": [{"answer": "He", "provenance": [{"wikipedia_id": "2"}]}]},
]
RUNS = {"left": {"q1": ["1#0", "2#1"], "q2": ["1#0", "2#1"]}, "right": {"q1": ["2#1"], "q2": ["2#1", "1#1"]}}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    def lines(name: str, rows: list[object]) -> None:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    lines("corpus.jsonl", [*PASSAGES])
    lines("gold.jsonl", [*GOLD])
    lines("train.jsonl", [{**GOLD[0], "id": "t"}])
    (tmp_path / "qrels.tsv").write_text("q1\t1#0\t1\nq2\t2#1\t1\n")
    for name, run in RUNS.items():
        hits = [
            f"{query_id} Q0 {passage_id} {rank} {-rank} t"
            for query_id, ids in run.items()
            for rank, passage_id in enumerate(ids, 1)
        ]
        (tmp_path / f"{name}.run").write_text("\n".join(hits) + "\n")
    return tmp_path


def test_tables_tests_and_changes(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = (world / "left.run", world / "right.run")
    arguments = ("compare", *runs, "-j", world / "qrels.tsv", "--queries", world / "gold.jsonl")
    figure = world / "figure.svg"
    assert genret(monkeypatch, *arguments, "--format", "json", "--figure", figure) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["rows"]] == ["left", "right"]
    assert [row["metrics"]["hit@1"]["mean"] for row in found["rows"]] == [0.5, 0.5]
    first = found["comparisons"][0]
    assert (first["first"], first["second"], first["wins"], first["losses"]) == ("left", "right", 1, 1)
    assert first["corrected_p_value"] >= first["p_value"]
    assert [(one["query_id"], one["values"], one["text"]) for one in found["changed"]] == [
        ("q1", [1.0, 0.0], "who wrote it"),
        ("q2", [0.0, 1.0], "who did not"),
    ]
    assert figure.stat().st_size > 0
    for form in ("table", "markdown"):
        assert genret(monkeypatch, *arguments, "--format", form) == 0
        text = capsys.readouterr().out
        assert "right against left" in text
        assert "who wrote it" in text


def test_kilt_runs_of_every_kind_are_compared(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guesses = world / "guesses.jsonl"
    assert genret(monkeypatch, "convert", world / "right.run", guesses, "--to", "kilt-run") == 0
    hits = [{"passage_id": "1#0", "score": 1.0}]
    rows = [{"query_id": query_id, "query": "x", "hits": hits} for query_id in ("q1", "q2")]
    (world / "full.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = (world / "left.run", guesses, world / "full.jsonl")
    arguments = ("-j", world / "gold.jsonl", "--kilt", "page", "--format", "json", "--metric", "Rprec")
    assert genret(monkeypatch, "compare", *runs, *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["metrics"]["Rprec"]["mean"] for row in found["rows"]] == [0.5, 0.5, 0.5]
    assert len(found["comparisons"]) == 3


def test_seen_and_unseen_pages_of_a_kilt_task(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--kilt", "page", "--trained-on", world / "train.jsonl", "--format", "json")
    assert genret(monkeypatch, "eval", world / "left.run", world / "gold.jsonl", *arguments) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    means = [(row["queries"], row["metrics"]["Rprec"]["mean"]) for row in rows]
    assert means == [(2, 0.5), (1, 1.0), (1, 0.0)]


def test_answer_accuracy(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("eval", world / "left.run", world / "gold.jsonl", "--answers-in", world / "corpus.jsonl")
    depths = ("--metric", "answer@1", "--metric", "answer@2")
    assert genret(monkeypatch, *arguments, *depths, "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert {name: one["mean"] for name, one in row["metrics"].items()} == {"answer@1": 0.5, "answer@2": 1.0}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compare", "{left}", "-j", "{gold}"], 2, "two runs or more"),
        (["compare", "{left}", "{left}", "-j", "{gold}"], 2, "each once"),
        (["compare", "{left}", "{right}", "-j", "{none}"], 3, "no such file"),
        (["compare", "{left}", "{right}", "-j", "{gold}", "--figure", "{gold}"], 3, "exists already"),
        (["compare", "{left}", "{right}", "-j", "{qrels}", "--metric", "x"], 2, "is not a metric"),
        (["eval", "{left}", "{gold}", "--kilt", "page", "--answers-in", "{corpus}"], 2, "choose one"),
        (["eval", "{left}", "{gold}", "--kilt", "page", "--split", "dev"], 2, "--split does not go"),
        (["eval", "{left}", "{gold}", "--kilt", "answers", "--trained-on", "dev"], 2, "answers do not have"),
        (["eval", "{left}", "{gold}", "--answers-in", "{corpus}", "--metric", "hit@1"], 2, "expected answer@k"),
    ],
)  # fmt: skip
def test_mistakes_end_in_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endings = {"left": "run", "right": "run", "gold": "jsonl", "none": "x", "qrels": "tsv", "corpus": "jsonl"}
    names = {name: world / f"{name}.{ending}" for name, ending in endings.items()}
    assert genret(monkeypatch, *(argument.format(**names) for argument in arguments)) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
