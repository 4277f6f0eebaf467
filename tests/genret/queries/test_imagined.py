"""Imagined answers: passages that look like them against plain Python, parts after a kill, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from backbones import WORDS, bart_tokenizer
from command_line import genret
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from docid import DocidTable
from genret.corpus import Passage, PassageStore, Query, read_judgements, read_run
from genret.errors import InputError
from genret.evaluation import BM25_TUNED, bm25_run
from genret.jobs.job import Here
from genret.jobs.shards import Shard
from genret.models.causal import CausalBackbone
from genret.queries import ImagineJob, ImagineOptions, Sampling, parts
from genret.queries.imagined import look_alikes
from genret.training.examples.material import DataOptions, read_material
from genret.training.losses.ranked_candidates import RunHits

PASSAGES = PassageStore.build(
    Passage(f"p{row}", place, f"the {place} where they {deed} near a {thing}")
    for row, (place, deed, thing) in enumerate(
        (place, deed, thing)
        for place in ("paris", "rome")
        for deed in ("run", "walk", "read")
        for thing in ("river", "mountain")
    )
)


def writer(seed: int = 0) -> CausalBackbone:
    """A random causal model whose tokens are the words of the passages."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    return CausalBackbone(LlamaForCausalLM(config).eval(), bart_tokenizer(), template="{query} the")


TEXTS = st.lists(st.sampled_from(["paris", "rome", "run", "reading", "river", "the"]), max_size=4).map(
    " ".join
)
GRADES = st.dictionaries(st.sampled_from([f"p{row}" for row in range(12)]), st.integers(0, 2))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, GRADES), min_size=1, max_size=3), st.integers(1, 12))
def test_look_alikes_are_the_best_that_are_not_relevant(asked, k):
    texts = {f"q{row}": text for row, (text, _) in enumerate(asked)}
    judgements = {f"q{row}": grades for row, (_, grades) in enumerate(asked) if grades}
    found = look_alikes(texts, PASSAGES, judgements, k)
    assert list(found) == list(texts)
    for query_id, text in texts.items():
        whole = bm25_run(PASSAGES, [Query("one", text)], len(PASSAGES), BM25_TUNED)["one"]
        grades = judgements.get(query_id, {})
        assert found[query_id] == [hit for hit in whole if grades.get(hit[0], 0) == 0][:k]


def job(folder: Path, seed: int = 0, queries: int = 5) -> ImagineJob:
    asked = [Query(f"q{row}", f"where {WORDS[row]} run") for row in range(queries)]
    options = ImagineOptions(Sampling(1, max_tokens=6), k=3, part_size=2, seed=seed)
    return ImagineJob(folder, asked, "tiny", options)


def test_shards_write_what_one_process_does_and_seeds_differ(tmp_path):
    judgements = {"q0": {"p0": 1}}
    contents = []
    for name, shards, seed in (("whole", 1, 0), ("shards", 2, 0), ("other", 1, 1)):
        for shard in range(shards):
            job(tmp_path / name, seed).run(writer, Here(Shard(shard, shards)))
        report = job(tmp_path / name, seed).finish(PASSAGES, judgements)
        assert report.queries == 5
        assert report.imagined == len((tmp_path / name / "imagined.jsonl").read_text().splitlines())
        contents.append([(tmp_path / name / one).read_bytes() for one in ("imagined.jsonl", "negatives.run")])
    assert contents[0] == contents[1] != contents[2]


def test_another_job_and_a_missing_part_are_refused(tmp_path):
    begun = job(tmp_path)
    begun.run(writer, Here(Shard(0, 2)))
    with pytest.raises(InputError, match="1 of 3 parts are missing"):
        begun.finish(PASSAGES, {})
    with pytest.raises(InputError, match="queries was "):
        job(tmp_path, queries=4)
    with pytest.raises(InputError, match="a query has one imagined text, found 2"):
        ImagineOptions(Sampling(2))


def test_a_query_without_a_text_keeps_its_place_in_the_run(tmp_path, monkeypatch):
    written = iter([[["river"], [""]], [["rome"], ["zzz"]], [["the"]]])
    monkeypatch.setattr(parts, "sample_texts", lambda *_, **__: next(written))
    begun = job(tmp_path)
    begun.run(writer)
    report = begun.finish(PASSAGES, {})
    assert report.lines() == ["4 of 5 queries have an imagined passage", "1.2 passages for a query"]
    assert {query_id: len(hits) for query_id, hits in read_run(tmp_path / "negatives.run").items()} == {
        "q0": 3,
        "q1": 0,
        "q2": 3,
        "q3": 0,
        "q4": 0,
    }


@pytest.fixture
def corpus(tmp_path) -> Path:
    """More queries than a part holds, each with one relevant passage, and one that is not judged."""
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": one.passage_id, "title": one.title, "text": one.text} for one in PASSAGES]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": f"q{row}", "text": f"who {WORDS[row % 20]} {WORDS[row // 20]}"} for row in range(261)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    judged = "".join(f"q{row}\tp{row % 12}\t1\n" for row in range(260))
    (folder / "qrels" / "train.tsv").write_text(judged)
    (folder / "qrels" / "dev.tsv").write_text("q260\tp1\t1\n")
    writer().save_pretrained(tmp_path / "model")
    return folder


def imagine(corpus: Path, output: Path, *more: Any) -> list[Any]:
    model = ("--model", corpus.with_name("model"), "--prompt", "{query} the", "--max-tokens", 4)
    return ["negatives", "imagine", corpus, "--split", "train", "-o", output, *model, "-k", 5, *more]


def test_the_command_writes_a_run_that_training_reads_and_goes_on_after_a_kill(
    corpus, tmp_path, monkeypatch, capsys
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert genret(monkeypatch, *imagine(corpus, whole)) == 0
    assert "of 260 queries have an imagined passage" in capsys.readouterr().out

    real, calls = parts.sample_texts, []

    def once(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(parts, "sample_texts", once)
    assert genret(monkeypatch, *imagine(corpus, killed)) == 130
    first = (killed / "part-000000.jsonl").stat()
    assert not (killed / "negatives.run").exists()
    assert genret(monkeypatch, *imagine(corpus, killed)) == 0
    assert (killed / "part-000000.jsonl").stat().st_mtime_ns == first.st_mtime_ns
    for name in ("imagined.jsonl", "negatives.run"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()

    run, judged = read_run(whole / "negatives.run"), read_judgements(corpus, "train")
    assert list(run) == list(judged)
    assert any(run.values())
    assert not any(passage_id in judged[query_id] for query_id, hits in run.items() for passage_id, _ in hits)
    data = DataOptions(str(corpus), judgements=str(corpus / "qrels" / "train.tsv"))
    material = read_material(data, PASSAGES, None, 0)
    table = DocidTable.build([str(row) for row in range(12)], [[row] for row in range(5, 17)])
    rows = RunHits.read(str(whole / "negatives.run"), material, table, 1, 5).rows
    for query_id, hits in run.items():
        assert [f"p{row}" for row in rows[material.queries[query_id]]] == [one for one, _ in hits]


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--prompt", "who"], 2, "--prompt: expected {query} in it"),
        (["--kind", "t5"], 2, "--kind: expected causal or encoder-decoder, found 't5'"),
        (["--shard", "2/2"], 2, "shard 2/2"),
        (["--queries", "{set}/queries.jsonl"], 2, "needs the queries' folder"),
        (["--split", "test"], 3, "no judgements for the split 'test'; it has dev, train"),
        (["--temperature", "0"], 2, "--temperature"),
        (["--model", "{set}/absent"], 3, "absent"),
        (["--output", "{set}/corpus.jsonl"], 3, "corpus.jsonl is a file; name a folder for the job"),
    ],
)
def test_bad_calls_end_in_a_sentence(corpus, tmp_path, monkeypatch, capsys, more, code, message):
    filled = [one.format(set=corpus, query="{query}") for one in more]
    assert genret(monkeypatch, *imagine(corpus, tmp_path / "out", *filled)) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out" / "negatives.run").exists()
