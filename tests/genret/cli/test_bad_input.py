"""Bad input gives one sentence and an exit code, never a traceback.

Exit codes: 2 wrong usage, 3 bad input, 4 damaged artefact.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import genret

from genret.cli import app as cli
from genret.retrieval.docids import GenerativeRetriever

PASSAGES = [{"_id": f"p{i}", "title": f"t{i}", "text": f"text number {i}"} for i in range(4)]


class World:
    """Files of a small corpus and a small model, for a case to spoil."""

    def __init__(self, folder: Path, retriever: GenerativeRetriever) -> None:
        self.folder = folder
        self.corpus = folder / "corpus"
        self.model = folder / "model"
        self.run = folder / "a.run"
        self.output = folder / "out"
        (self.corpus / "qrels").mkdir(parents=True)
        self.lines("corpus.jsonl", *map(json.dumps, PASSAGES))
        self.lines("queries.jsonl", '{"_id": "q1", "text": "who"}')
        self.lines("qrels/dev.tsv", "query-id\tcorpus-id\tscore", "q1\tp1\t1")
        self.run.write_text("q1 Q0 p1 1 2.5 tag\n")
        retriever.save_pretrained(self.model)

    def lines(self, name: str, *lines: str) -> Path:
        path = self.corpus / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def pipe(self) -> Path:
        os.mkfifo(self.folder / "pipe")
        return self.folder / "pipe"

    def damage(self, name: str, position: int = -40) -> Path:
        path = self.model / name
        data = bytearray(path.read_bytes())
        data[position] ^= 0x55
        path.write_bytes(bytes(data))
        return self.model


# A case: what is called, the exit code, and words that the message must hold.
Case = tuple[Callable[[World], list[object]], int, list[str]]

CASES: dict[str, Case] = {
    "search: no such model": (lambda w: ["search", w.folder / "none", "who"], 3, ["none", "no such folder"]),
    "search: not a model": (lambda w: ["search", w.corpus, "who"], 4, ["genret.json", "expected a retriever folder"]),
    "search: damaged weights": (
        lambda w: ["search", w.damage("model.safetensors"), "who"],
        4,
        ["model.safetensors", "checksum differs"],
    ),
    "search: damaged docids": (lambda w: ["search", w.damage("docids.trie"), "who"], 4, ["docids.trie", "damaged"]),
    "search: damaged manifest": (lambda w: ["search", w.damage("genret.json"), "who"], 4, ["genret.json", "damaged"]),
    "search: no question": (lambda w: ["search", w.model], 2, ["either a question or --queries"]),
    "search: empty question": (lambda w: ["search", w.model, "  "], 3, ["query 0 is empty"]),
    "search: a question in Latin-1": (
        lambda w: ["search", w.model, b"caf\xe9".decode(errors="surrogateescape")],
        2,
        ["the question is no text in UTF-8"],
    ),
    "search: question and file": (lambda w: ["search", w.model, "who", "--queries", w.corpus], 2, ["not both"]),
    "search: file without output": (lambda w: ["search", w.model, "--queries", w.corpus], 2, ["go together"]),
    "search: output exists": (
        lambda w: ["search", w.model, "--queries", w.corpus, "--output", w.run],
        3,
        ["a.run exists already", "--overwrite"],
    ),
    "search: output is a pipe": (
        lambda w: ["search", w.model, "--queries", w.corpus, "--output", w.pipe(), "--overwrite"],
        3,
        ["is a pipe or a device", "name a file"],
    ),
    "search: k is zero": (lambda w: ["search", w.model, "who", "-k", 0], 2, ["-k"]),
    "search: an unknown gold passage": (
        lambda w: ["search", w.model, "who", "--gold", "nobody"],
        3,
        ["nobody"],
    ),
    "search: an unknown query to trace": (
        lambda w: ["search", w.model, "--queries", w.corpus, "--trace", "q9", "--gold", "paris.rome"],
        3,
        ["holds no query 'q9'"],
    ),
    "search: a trace of nothing": (lambda w: ["search", w.model, "who", "--trace", "q1"], 2, ["--gold PASSAGE"]),
    "search: no such device": (lambda w: ["search", w.model, "who", "--device", "tpu9"], 2, ["tpu9", "cannot be used"]),
    "search: queries with a bad line": (
        lambda w: ["search", w.model, "--queries", w.lines("queries.jsonl", "{nope"), "--output", w.output],
        3,
        ["queries.jsonl", "line 1"],
    ),
    "eval: no such run": (lambda w: ["eval", w.folder / "b.run", w.corpus], 3, ["b.run"]),
    "eval: a line with five columns": (
        lambda w: ["eval", w.file("b.run", "q1 Q0 p1 1 2.5\n"), w.corpus],
        3,
        ["b.run", "line 1"],
    ),
    "eval: a score that is no number": (
        lambda w: ["eval", w.file("b.run", "q1 Q0 p1 1 high tag\n"), w.corpus],
        3,
        ["b.run", "line 1", "high"],
    ),
    "eval: an unknown metric": (lambda w: ["eval", w.run, w.corpus, "--metric", "hits@10"], 2, ["hits@10"]),
    "eval: no query in common": (
        lambda w: ["eval", w.file("b.run", "q9 Q0 p1 1 2.5 tag\n"), w.corpus],
        3,
        ["no query in common"],
    ),
    "baseline: a duplicate id": (
        lambda w: [
            "baseline", "bm25", w.lines("corpus.jsonl", *[json.dumps(PASSAGES[0])] * 2).parent, "--output", w.output,
        ],
        3,
        ["corpus.jsonl", "line 2", "p0"],
    ),
    "baseline: a missing field": (
        lambda w: ["baseline", "bm25", w.lines("corpus.jsonl", '{"_id": "p0"}').parent, "--output", w.output],
        3,
        ["corpus.jsonl", "line 1", "text"],
    ),
    "baseline: no such corpus": (
        lambda w: ["baseline", "bm25", w.folder / "none", "--output", w.output],
        3,
        ["none"],
    ),
    "docid: an unknown strategy": (
        lambda w: ["docid", "build", w.corpus, "-o", w.output, "--strategy", "semantics"],
        2,
        ["semantics", "semantic"],
    ),
    "docid: not a table": (lambda w: ["docid", "show", w.run], 4, ["a.run"]),
    "fit: no such corpus": (lambda w: ["fit", w.folder / "none", "-o", w.output], 3, ["none"]),
    "fit: output exists": (lambda w: ["fit", w.corpus, "-o", w.model], 3, ["exists already", "--overwrite"]),
    "fit: output in a file": (
        lambda w: ["fit", w.corpus, "-o", w.run / "model"],
        3,
        ["a.run/model", "a.run is no folder"],
    ),
    "fit: output is someone's folder": (
        lambda w: ["fit", w.corpus, "-o", w.corpus, "--overwrite"],
        3,
        ["holds corpus.jsonl, which was not written by this program"],
    ),
    "index: output is a file": (
        lambda w: ["index", "build", w.corpus, "-o", w.run, "--tokenizer", "none", "--overwrite"],
        3,
        ["a.run is no folder"],
    ),
    "fit: a budget in words": (lambda w: ["fit", w.corpus, "-o", w.output, "--budget", "soon"], 2, ["soon", "30m"]),
    "fit: no such encoder": (
        lambda w: ["fit", w.corpus, "-o", w.output, "--encoder", w.folder / "nowhere"],
        3,
        ["nowhere"],
    ),
    "fit: a judgement for an unknown passage": (
        lambda w: ["fit", w.corpus, "-o", w.output, "--judgements", w.lines("qrels/dev.tsv", "q1\tp99\t1")],
        3,
        ["dev.tsv", "line 1", "p99"],
    ),
    "train: no such file": (lambda w: ["train", w.folder / "none.yaml"], 3, ["none.yaml"]),
    "train: not YAML": (lambda w: ["train", w.file("c.yaml", "a: [")], 3, ["c.yaml", "not valid YAML"]),
    "train: an unknown key": (
        lambda w: ["train", w.file("c.yaml", "output: x\nmixtures: {}\n")],
        3,
        ["c.yaml", "mixtures", "mixture"],
    ),
    "train: a value of the wrong type": (
        lambda w: ["train", w.file("c.yaml", "output: x\nseed: seven\nmixture: {}\ndata: {corpus: a}\n")],
        3,
        ["seed", "seven"],
    ),
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, tiny_retriever: GenerativeRetriever, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return World(tmp_path, tiny_retriever)


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_and_an_exit_code(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, code, words = CASES[name]
    ended = genret(monkeypatch, *arguments(world))
    captured = capsys.readouterr()
    assert ended == code, captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    message = " ".join(captured.err.replace("│", " ").split())
    for word in words:
        assert word in message, message
    assert not world.output.exists()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 20


def test_a_bug_is_not_dressed_up_as_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 70


def test_an_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert "interrupted" in capsys.readouterr().err
