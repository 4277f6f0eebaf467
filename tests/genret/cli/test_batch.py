"""`genret batch` and `genret merge` as a user calls them: formats, processes, and a sentence for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import genret

from genret.corpus import read_run
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import found_queries
from genret.retrieval.docids import GenerativeRetriever

TASK = [
    {"id": "a", "input": "where lies paris", "output": [{"answer": "near the river"}]},
    {"id": "b", "input": "paris [SEP] lies near", "meta": {"template_questions": ["what lies near paris"]}},
    {"id": "c", "input": "the city of [START_ENT] rome [END_ENT] lies near a river"},
]


@pytest.fixture
def model(tiny_retriever: GenerativeRetriever, tmp_path: Path) -> Path:
    tiny_retriever.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    path = tmp_path / "task.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in TASK))
    return path


def test_every_format_tells_of_the_same_hits(
    model: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {name: tmp_path / name for name in ("genret-run", "trec-run", "kilt-run", "dpr-run", "fid-run")}
    for name, output in outputs.items():
        assert genret(monkeypatch, "batch", model, task, "-o", output, "-k", 3, "--format", name) == 0
    full = {one.question.query_id: one for one in found_queries(DataFile(outputs["genret-run"]))}
    expected = {query_id: [hit[0] for hit in one.hits] for query_id, one in full.items()}
    assert list(expected) == ["a", "b", "c"]
    assert {len(ids) for ids in expected.values()} == {3}
    assert all(passage.docid for one in full.values() for passage in one.passages)
    assert full["a"].question.answers == ["near the river"]
    for name in ("trec-run", "kilt-run", "dpr-run"):
        assert {q: [hit[0] for hit in hits] for q, hits in read_run(outputs[name]).items()} == expected
    contexts = json.loads(outputs["dpr-run"].read_text())
    assert [entry["id"] for entry in contexts] == ["a", "b", "c"]
    assert [json.loads(line) for line in outputs["fid-run"].read_text().splitlines()] == contexts
    assert all("text" in context and "has_answer" in context for context in contexts[0]["ctxs"])


def test_inputs_become_queries(
    model: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, mentions = tmp_path / "slots.jsonl", tmp_path / "mentions.jsonl"
    slots.write_text(json.dumps(TASK[1]) + "\n")
    mentions.write_text(json.dumps(TASK[2]) + "\n")

    def asked(path: Path, *options: object) -> str:
        assert genret(monkeypatch, "batch", model, path, "-o", tmp_path / "o", "--overwrite", *options) == 0
        return next(found_queries(DataFile(tmp_path / "o"))).question.text

    assert asked(slots) == "paris [SEP] lies near"
    assert asked(slots, "--slot-template", "what {relation} {subject}") == "what lies near paris"
    assert asked(slots, "--slot-template", "{question}") == "what lies near paris"
    assert asked(mentions, "--mention-words", 2) == "city of [START_ENT] rome [END_ENT] lies near"
    assert asked(mentions, "--mention-words", 0) == "[START_ENT] rome [END_ENT]"


def test_shards_and_their_merge(
    model: Path, task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, out = tmp_path / "one", tmp_path / "out"
    assert genret(monkeypatch, "batch", model, task, "-o", one, "--chunk", 1, "--format", "dpr-run") == 0
    for shard in ("1/2", "0/2"):
        assert genret(monkeypatch, "batch", model, task, "-o", out, "--chunk", 1, "--shard", shard) == 0
    assert not out.exists()
    assert genret(monkeypatch, "merge", out, "--format", "dpr-run", "--model", model) == 0
    assert out.read_bytes() == one.read_bytes()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Queries of several lengths."""
    queries = tmp_path / "queries.jsonl"
    words = ["where", "lies", "the", "city", "of", "paris", "near", "a", "river"]
    lines = [{"_id": f"q{i}", "text": " ".join(words[i % 5 : 2 + i % 7])} for i in range(13) if i % 7 > 2]
    queries.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return queries


@pytest.mark.soak
def test_two_processes_under_torchrun_equal_one(
    model: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, out = tmp_path / "one", tmp_path / "out"
    shared = (model, many, "--chunk", 2, "-k", 4)
    assert genret(monkeypatch, "batch", *shared, "-o", one) == 0
    script = tmp_path / "genret_main.py"
    script.write_text("from genret.cli.app import main; main()")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [*command, str(script), "batch", *map(str, shared), "-o", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert genret(monkeypatch, "merge", out) == 0
    assert out.read_bytes() == one.read_bytes()
    assert out.stat().st_size > 0


def test_worker_processes_an_array_and_ranks_equal_one_process(
    model: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {name: tmp_path / name for name in ("one", "workers", "array", "ranks")}

    def batch(name: str, *more: object) -> None:
        arguments = (model, many, "--chunk", 2, "-k", 4, "-o", outputs[name], *more)
        assert genret(monkeypatch, "batch", *arguments) == 0

    batch("one")
    batch("workers", "--workers", 2)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    for task in "201":
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        batch("array", "--shard", "auto")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in "10":
        monkeypatch.setenv("RANK", rank)
        batch("ranks")
    for name in ("array", "ranks"):
        assert not outputs[name].exists()
        assert genret(monkeypatch, "merge", outputs[name]) == 0
    assert outputs["one"].stat().st_size > 0
    assert len({output.read_bytes() for output in outputs.values()}) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["batch", "{model}", "{task}", "-o", "{task}"], 3, "exists already"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--format", "pdf"], 2, "'pdf' is no format; there are trec-run, genret-run"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--shard", "2/2"], 2, "expected I/N"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--shard", "auto"], 2, "is not set, so this is no task of a Slurm array"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--ray", "10.0.0.1:1"], 2, "pip install 'genret[ray]'"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--shard", "0/2", "--format", "dpr-run"], 2, "`genret merge`"),
        (["batch", "{model}", "{task}x", "-o", "{out}"], 3, "no such file or folder"),
        (["batch", "{model}x", "{task}", "-o", "{out}"], 3, "expected a model folder"),
        (["batch", "{model}", "{task}", "-o", "{model}/no/out"], 3, "its folder does not exist"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--slot-template", "{{subject}}"], 3, "expected `subject [SEP]"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--slot-template", "{{x}}"], 2, "nothing else in braces"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--slot-template", "{{"], 2, "not well-formed"),
        (["batch", "{model}", "{task}", "-o", "{out}", "--mention-words", "3"], 3, "expected a mention"),
        (["batch", "{model}", "{beir}", "-o", "{out}", "--mention-words", "3"], 2, "is no KILT task file"),
        (["batch", "{model}", "{twice}", "-o", "{out}"], 3, "line 2, field '_id': 'q' stands on line 1 already"),
        (["merge", "{out}"], 3, "no part of a batch run"),
        (["merge", "{task}"], 3, "exists already"),
    ],
)  # fmt: skip
def test_mistakes_end_in_a_sentence_and_leave_nothing(
    arguments: list[str],
    code: int,
    message: str,
    model: Path,
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = '{"_id": "q", "text": "who"}\n'
    (tmp_path / "beir.jsonl").write_text(line)
    (tmp_path / "twice.jsonl").write_text(line * 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    names = {name: tmp_path / f"{name}.jsonl" for name in ("beir", "twice", "task", "out")}
    filled = [argument.format(model=model, **names) for argument in arguments]
    assert genret(monkeypatch, *filled) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not names["out"].exists()
    assert not (tmp_path / "out.jsonl.parts").exists()


@pytest.mark.parametrize("command", ["batch", "search", "baseline"])
def test_ids_that_the_format_cannot_hold_are_refused_before_the_search(
    command: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With file and line, and the name of a format that can; no search has begun."""
    rows = [{"_id": f"q{number}", "text": "where lies paris"} for number in range(3)]
    queries, corpus, out = tmp_path / "queries.jsonl", tmp_path / "corpus.jsonl", tmp_path / "out"
    queries.write_text(
        "\n" + "".join(json.dumps(row) + "\n" for row in [*rows, {"_id": "last one", "text": "lies"}])
    )
    corpus.write_text('{"_id": "a", "text": "paris lies near"}\n{"_id": "b", "text": "rome"}\n')
    calls = {
        "batch": ["batch", model, queries, "-o", out],
        "search": ["search", model, "--queries", queries, "--output", out],
        "baseline": ["baseline", "bm25", corpus, "--queries", queries, "--output", out],
    }
    arguments = [*calls[command], "-k", 2]
    with monkeypatch.context() as patched:
        patched.setattr(GenerativeRetriever, "iter_search", None)
        patched.setattr("genret.evaluation.baselines.BM25.search", None)
        assert genret(monkeypatch, *arguments, "--format", "trec-run") == 3
    message = capsys.readouterr().err
    assert "queries.jsonl, line 5, field '_id': the id 'last one' cannot stand in a TREC file" in message
    assert "genret-run" in message
    assert not out.exists()
    assert genret(monkeypatch, *arguments, "--format", "genret-run") == 0
    assert list(read_run(out)) == ["q0", "q1", "q2", "last one"]


def test_passages_that_the_format_cannot_hold_are_refused_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queries, corpus = tmp_path / "queries.jsonl", tmp_path / "corpus.jsonl"
    queries.write_text('{"_id": "q", "text": "paris"}\n')
    corpus.write_text('{"_id": "a b", "text": "paris"}\n{"_id": "b", "text": "rome"}\n')
    monkeypatch.setattr("genret.evaluation.baselines.BM25.search", None)
    assert (
        genret(monkeypatch, "baseline", "bm25", corpus, "--queries", queries, "--output", tmp_path / "o") == 3
    )
    assert "the id 'a b' cannot stand in a TREC file" in capsys.readouterr().err
