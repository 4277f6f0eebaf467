"""Text files are compressed where their name says so, whoever writes them, and names that promise more are refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from command_line import genret

from genret.cli.output import emit
from genret.corpus import (
    Passage,
    PassageStore,
    Query,
    Question,
    read_judgements,
    read_passages,
    read_queries,
    read_run,
    write_judgements,
    write_run,
)
from genret.corpus.formats import beir, dpr, kilt, msmarco
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import FoundPassage, FoundQuery
from genret.corpus.formats.registry import FORMATS, write_found
from genret.corpus.writing import text_writer
from genret.errors import InputError

PASSAGES = [Passage("a", "T", "some text"), Passage("b", "U", "more text")]
QUERIES = [Query("q", "why?")]
RUN = {"q": [("a", 2.0), ("b", 1.0)]}
FOUND = [FoundQuery(Question("q", "why?", []), [FoundPassage("a", 2.0), FoundPassage("b", 1.0)])]
STORE = PassageStore.build(PASSAGES)
QUESTIONS = [Question("q", "why?", ["so"])]
TASK = [kilt.KiltLine("q", {"id": "q", "input": "why?"})]
WRITERS: dict[str, Callable[[Path], Any]] = {
    "beir passages": lambda path: beir.write_passages(path, PASSAGES),
    "beir queries": lambda path: beir.write_queries(path, QUERIES),
    "dpr passages": lambda path: dpr.write_passages(path, PASSAGES),
    "dpr questions": lambda path: dpr.write_questions(path, QUESTIONS),
    "ms marco passages": lambda path: msmarco.write_passages(path, PASSAGES),
    "ms marco queries": lambda path: msmarco.write_queries(path, QUERIES),
    "ms marco run": lambda path: msmarco.write_run(path, RUN),
    "kilt lines": lambda path: kilt.write_lines(path, TASK),
    "kilt guesses": lambda path: kilt.write_run(path, RUN),
    "beir judgements": lambda path: write_judgements(path, {"q": {"a": 1}}, "beir"),
    "trec judgements": lambda path: write_judgements(path, {"q": {"a": 1}}, "trec"),
    "trec run": lambda path: write_run(path, RUN),
    "a report": lambda path: emit("a table\n", path),
    **{
        f"batch, {name}": (lambda path, name=name: write_found(path, FOUND, name, STORE))
        for name, form in FORMATS.items()
        if form.lines
    },
}


@pytest.mark.parametrize("writer", list(WRITERS))
def test_every_writer_compresses_by_the_suffix(writer: str, tmp_path: Path) -> None:
    plain, packed, frames = (tmp_path / f"out{suffix}" for suffix in ("", ".gz", ".zst"))
    for path in (plain, packed, frames):
        WRITERS[writer](path)
    wanted = plain.read_bytes()
    assert wanted
    assert gzip.decompress(packed.read_bytes()) == wanted
    assert zstandard.ZstdDecompressor().decompressobj().decompress(frames.read_bytes()) == wanted
    first = packed.read_bytes(), frames.read_bytes()
    WRITERS[writer](packed)
    WRITERS[writer](frames)
    assert (packed.read_bytes(), frames.read_bytes()) == first
    for suffix in (".bz2", ".xz", ".zip", ".parquet"):
        with pytest.raises(InputError, match=rf"nothing is written as \{suffix}: .* \.gz or \.zst"):
            WRITERS[writer](tmp_path / f"out{suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.gz", "out.zst"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_was_written_compressed_is_read_again(suffix: str, tmp_path: Path) -> None:
    beir.write_passages(tmp_path / f"corpus.jsonl{suffix}", PASSAGES)
    beir.write_queries(tmp_path / f"queries.jsonl{suffix}", QUERIES)
    (tmp_path / "qrels").mkdir()
    write_judgements(tmp_path / "qrels" / f"dev.tsv{suffix}", {"q": {"a": 1}})
    write_run(tmp_path / f"r.run{suffix}", RUN)
    assert list(read_passages(tmp_path)) == PASSAGES
    assert list(read_queries(tmp_path)) == QUERIES
    assert read_judgements(tmp_path, "dev") == {"q": {"a": 1}}
    first = next(DataFile(tmp_path / "qrels" / f"dev.tsv{suffix}").lines())
    assert first == (1, "query-id\tcorpus-id\tscore")
    assert read_run(tmp_path / f"r.run{suffix}") == RUN


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_writer_that_fails_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")

    def write() -> None:
        with text_writer(path) as file:
            file.write(b"new" * 10_000)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_commands_compress_and_refuse_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "corpus.jsonl"
    source.write_text('{"_id":"z","title":"","text":"second"}\n')
    for suffix in (".gz", ".zst"):
        target = tmp_path / f"out.jsonl{suffix}"
        assert genret(monkeypatch, "convert", source, target, "--to", "beir-corpus") == 0
        assert genret(monkeypatch, "convert", "--check", target) == 0
    capsys.readouterr()
    # Nothing of the input is read: there is none.
    absent = tmp_path / "absent.jsonl"
    for arguments in (
        ["convert", absent, tmp_path / "out.jsonl.xz", "--to", "beir-corpus"],
        ["baseline", "bm25", absent, "--output", tmp_path / "r.run.bz2"],
        ["batch", absent, absent, "--output", tmp_path / "o.jsonl.xz"],
        ["eval", absent, absent, "--output", tmp_path / "table.txt.zip"],
    ):
        assert genret(monkeypatch, *arguments) == 3
        assert "nothing is written as" in capsys.readouterr().err
    for arguments in (
        ["embed", absent, "--output", tmp_path / "vectors.npy.gz"],
        ["docid", "build", absent, "--output", tmp_path / "t.table.gz", "--strategy", "atomic"],
    ):
        assert genret(monkeypatch, *arguments) == 3
        assert "this file is not compressed" in capsys.readouterr().err


def test_a_compressed_baseline_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    beir.write_passages(tmp_path / "corpus.jsonl", PASSAGES)
    beir.write_queries(tmp_path / "queries.jsonl", [Query("q", "some"), Query("r", "more")])
    write_judgements(tmp_path / "gold.tsv", {"q": {"a": 1}, "r": {"b": 1}})
    run, values = tmp_path / "r.run.gz", tmp_path / "values.jsonl.zst"
    assert genret(monkeypatch, "baseline", "bm25", tmp_path, "--output", run) == 0
    arguments = ["--metric", "hit@1", "--per-query", values]
    assert genret(monkeypatch, "eval", run, tmp_path / "gold.tsv", *arguments) == 0
    lines = [json.loads(line) for _, line in DataFile(values).lines()]
    assert [line["query_id"] for line in lines] == ["q", "r"]
