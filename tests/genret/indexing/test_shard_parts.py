"""An index of shards by passages: what one of the same shards answers, whoever builds which shard."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from command_line import genret
from transformers import ByT5Tokenizer

from genret.corpus import Passage, PassageStore
from genret.errors import ArtefactError, InputError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.indexing.shard_parts import build_in_parts
from genret.jobs.job import Executor, Here, Once
from genret.jobs.shards import Shard
from genret.jobs.worker_processes import WorkerProcesses

PASSAGES = PassageStore.build(
    Passage(f"p{row}", f"title {row}" * (row % 3 > 0), f"the river of {'abc'[row % 3]} runs {row}")
    for row in range(11)
)
QUERIES = [[f"what runs {row}"] * (row % 2) for row in range(11)]
TOKENIZER = Once(ByT5Tokenizer)


def files(folder: Path) -> dict[str, bytes]:
    """All but the manifest, which names each build anew."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "genret.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("marked", [False, True])
def test_shards_are_those_of_one_process(marked: bool, tmp_path: Path) -> None:
    layout, asked = (Layout.of(TOKENIZER()), QUERIES) if marked else (None, None)
    build = partial(build_in_parts, PASSAGES, TOKENIZER, layout=layout, pseudo_queries=asked)
    meta = build(tmp_path / "one", 4)
    assert meta is not None
    assert (meta["shards"], meta["num_passages"]) == (3, 11)
    for index in (2, 0, 1):
        found = build(tmp_path / "shards", 4, Here(Shard(index, 3)))
        assert (found is None) == (index != 1)
    assert files(tmp_path / "shards") == files(tmp_path / "one")
    whole = tmp_path / "whole"
    build_text_index(PASSAGES, TOKENIZER(), whole, layout=layout, pseudo_queries=asked)
    ours, theirs = TextIndex.load(tmp_path / "one"), TextIndex.load(whole)
    assert [ours.index.extract(row).tolist() for row in range(11)] == [
        theirs.index.extract(row).tolist() for row in range(11)
    ]
    assert not list(tmp_path.glob("*.parts"))


def test_a_shard_is_written_once(tmp_path: Path) -> None:
    """What the index has is the file that the worker wrote, under another name."""
    build = partial(build_in_parts, PASSAGES, TOKENIZER, tmp_path / "out", 4)
    assert build(Here(Shard(0, 2))) is None
    written = {path.stat().st_ino for path in (tmp_path / "out.parts").glob("shard-*.fmi")}
    assert len(written) == 2
    assert build(Here(Shard(1, 2))) is not None
    assert written < {path.stat().st_ino for path in (tmp_path / "out").glob("index/shard-*.fmi")}


def test_a_shard_that_is_damaged_is_built_again(tmp_path: Path) -> None:
    build = partial(build_in_parts, PASSAGES, TOKENIZER, tmp_path / "out", 4)
    assert build(Here(Shard(0, 2))) is None
    shard = tmp_path / "out.parts" / "shard-000002.fmi"
    content = shard.read_bytes()
    shard.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(ArtefactError, match=r"shard-000002\.fmi: .*Remove .*part-000002\.jsonl, and give"):
        build(Here())
    (tmp_path / "out.parts" / "part-000002.jsonl").unlink()
    assert build(Here()) is not None
    build_in_parts(PASSAGES, TOKENIZER, tmp_path / "one", 4)
    assert files(tmp_path / "out") == files(tmp_path / "one")


@pytest.mark.parametrize("executor", [WorkerProcesses(2)])
def test_worker_processes_build_the_same(executor: Executor, tmp_path: Path) -> None:
    build_in_parts(PASSAGES, TOKENIZER, tmp_path / "one", 6)
    build_in_parts(PASSAGES, TOKENIZER, tmp_path / "many", 6, executor)
    assert files(tmp_path / "many") == files(tmp_path / "one")


def test_another_index_begun_there_is_refused(tmp_path: Path) -> None:
    half = Here(Shard(0, 2))
    assert build_in_parts(PASSAGES, TOKENIZER, tmp_path / "out", 4, half) is None
    with pytest.raises(InputError, match=r"shard_passages was 4 and is 5.*remove that folder"):
        build_in_parts(PASSAGES, TOKENIZER, tmp_path / "out", 5, half)
    with pytest.raises(InputError, match="profile was 'fast' and is 'compact'"):
        build_in_parts(PASSAGES, TOKENIZER, tmp_path / "out", 4, half, profile="compact")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, tokens = tmp_path / "corpus.jsonl", tmp_path / "byt5"
    corpus.write_text(
        "".join(json.dumps({"_id": one.passage_id, "text": one.text}) + "\n" for one in PASSAGES)
    )
    TOKENIZER().save_pretrained(tokens)
    build = ("index", "build", corpus, "--tokenizer", tokens)
    assert genret(monkeypatch, *build, "-o", tmp_path / "one", "--shard-passages", 4) == 0
    for shard in ("0/2", "1/2"):
        assert not (tmp_path / "two").exists()
        shared = (*build, "-o", tmp_path / "two", "--shard-passages", 4, "--shard", shard)
        assert genret(monkeypatch, *shared) == 0
    assert files(tmp_path / "two") == files(tmp_path / "one")
    assert "the other shards' parts are missing yet" in capsys.readouterr().err
    for wrong in (("--workers", 2), ("--shard-passages", 4, "--shard-tokens", 9)):
        assert genret(monkeypatch, *build, "-o", tmp_path / "no", *wrong) == 2
        assert "give --shard-passages, no --shard-tokens" in capsys.readouterr().err
