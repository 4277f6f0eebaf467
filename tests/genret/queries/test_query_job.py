"""Jobs of synthetic queries: filters, report, parts that are written once, and the command."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
import typer
from backbones import BACKBONES
from floats import DOUBLE, assert_close
from typer.testing import CliRunner

from genret.corpus import Passage, PassageStore
from genret.errors import InputError, UsageError
from genret.jobs.job import Here
from genret.jobs.shards import Shard
from genret.queries.filters import FilterOptions, PassageQuery, keep_form, round_trip
from genret.queries.job import GenerateOptions, QueryJob
from genret.queries.query_report import make_report
from genret.queries.sampler import Sampling

PASSAGES = PassageStore.build(
    [
        Passage("a", "Seine", "The Seine is a river that flows through Paris."),
        Passage("b", "Rome", "Rome is a city on the Tiber."),
        Passage("c", "", "Bread is made of wheat and water."),
    ]
)


def test_forms_that_go_are_named():
    options = FilterOptions(min_words=2, max_words=4, latin_share=0.5)
    queries = [
        PassageQuery(0, "what river"),
        PassageQuery(0, "What  River?"),
        PassageQuery(1, "what river"),
        PassageQuery(1, "rome"),
        PassageQuery(1, "one two three four five"),
        PassageQuery(2, "что такое хлеб"),
        PassageQuery(2, "qué es Ñandú"),
        PassageQuery(2, "хлеб wine"),
        PassageQuery(2, "хлебы wine"),
    ]
    reasons = ["", "duplicate", "", "length", "length", "language", "", "", "language"]
    assert [reason for _, reason in keep_form(queries, options)] == reasons


def test_a_round_trip_finds_the_passage_again():
    queries = [
        PassageQuery(0, "river through paris"),
        PassageQuery(0, "bread of wheat"),
        PassageQuery(2, "zzz"),
    ]
    assert round_trip(queries, PASSAGES, FilterOptions(depth=1)) == [True, False, False]
    assert round_trip(queries, PASSAGES, FilterOptions(round_trip="none")) == [True] * 3


def test_the_report_counts():
    kept = [PassageQuery(0, "river Seine?"), PassageQuery(0, "river Thames"), PassageQuery(2, "wheat?")]
    report = make_report(kept, 5, {"length": 2}, PASSAGES)
    assert (report.passages, report.generated, report.kept) == (3, 5, 3)
    assert_close(report.coverage, 2 / 3, relative=DOUBLE)
    assert report.per_passage == {0: 1, 1: 1, 2: 1}
    assert_close(report.overlap, (1 + 0.5 + 1) / 3, relative=DOUBLE)
    assert_close(report.distinct_words, 4 / 5, relative=DOUBLE)
    assert report.distinct_pairs == 1.0
    assert_close(report.questions, 2 / 3, relative=DOUBLE)
    assert report.lines()[0] == "3 of 5 queries kept (dropped: 2 length)"


def options(part_size: int = 2) -> GenerateOptions:
    filters = FilterOptions(min_words=1, latin_share=0.0, round_trip="none")
    return GenerateOptions(Sampling(per_source=4, max_tokens=4), filters, part_size)


def test_a_killed_job_goes_on_and_shards_make_the_same_files(tmp_path):
    backbone = BACKBONES["bart"]().eval()
    whole = QueryJob(tmp_path / "whole", PASSAGES, "bart", options())
    whole.run(lambda: backbone)
    report = whole.finish()
    assert report.generated > 4
    shared = QueryJob(tmp_path / "shared", PASSAGES, "bart", options())
    shared.run(lambda: backbone, Here(Shard(1, 2)))
    with pytest.raises(InputError, match="1 of 2 parts are missing"):
        shared.finish()
    again = QueryJob(tmp_path / "shared", PASSAGES, "bart", options())
    assert again.missing == [0]
    again.run(lambda: backbone, Here(Shard(0, 2)))
    again.run(lambda: pytest.fail("nothing is missing"))
    assert again.finish() == report
    for name in ("queries.jsonl", "part-000001.jsonl"):
        assert (tmp_path / "shared" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_process_maps_the_passages_from_the_jobs_folder(tmp_path):
    job = QueryJob(tmp_path, PASSAGES, "bart", options())
    sent = deepcopy(job.sources)
    assert (tmp_path / "passages.bin").exists()
    for mine, theirs in zip(job.sources(), sent(), strict=True):
        assert list(mine) == list(theirs)
    job.run(lambda: BACKBONES["bart"]().eval())
    job.finish()
    assert not (tmp_path / "passages.bin").exists()


def test_another_job_in_the_same_folder_is_refused(tmp_path):
    QueryJob(tmp_path, PASSAGES, "bart", options())
    with pytest.raises(InputError, match="model was 'bart' and is 'llama'"):
        QueryJob(tmp_path, PASSAGES, "llama", options())
    with pytest.raises(InputError, match="part_size"):
        QueryJob(tmp_path, PASSAGES, "bart", options(3))


def test_the_command_writes_a_file_that_training_reads(tmp_path):
    from genret.cli.corpus.queries import register

    corpus, model = tmp_path / "corpus.jsonl", tmp_path / "model"
    rows = [{"_id": one.passage_id, "title": one.title, "text": one.text} for one in PASSAGES]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    BACKBONES["bart"]().save_pretrained(model)
    app = typer.Typer()
    register(app)
    arguments = ["queries", "generate", str(corpus), "-o", str(tmp_path / "out"), "--model", str(model)]
    runner = CliRunner()
    found = runner.invoke(app, [*arguments, "-n", "3", "--round-trip", "none", "--kind", "encoder-decoder"])
    assert found.exit_code == 0, found.output
    assert "queries kept" in found.stdout
    for line in (tmp_path / "out" / "queries.jsonl").open():
        assert set(json.loads(line)) == {"passage_id", "text"}
    wrong = runner.invoke(app, [*arguments[:4], str(tmp_path / "new"), *arguments[5:], "--prompt", "who"])
    assert isinstance(wrong.exception, UsageError)
