"""Batch runs: input order, resumption after SIGKILL, shards, and a merge that misses nothing."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fm_index import files
from genret.batch import BatchOptions, BatchPlan, Output, batch_run, make_plan
from genret.corpus import PassageStore, Question
from genret.corpus.formats import records
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import found_queries
from genret.errors import ArtefactError, InputError
from genret.jobs.job import Here
from genret.jobs.ledger import Ledger
from genret.jobs.shards import Shard
from genret.retrieval.docids import GenerativeRetriever

WORDS = ("where", "lies", "the", "city", "of", "paris", "near", "a", "river", "mountain", "who", "run")


def questions(count: int) -> list[Question]:
    rng = random.Random(1)
    return [
        Question(f"q{number}", " ".join(rng.choices(WORDS, k=rng.randint(1, 9))), ["a"] * (number % 2))
        for number in range(count)
    ]


class FakeHit(NamedTuple):
    passage_id: str
    score: float
    docid: str


class Echo:
    """Finds the query's own text; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Any = None,
        where: str | None = None,
    ) -> Iterator[list[FakeHit]]:
        for query in queries:
            self.asked.append(query)
            yield [FakeHit(f"{query}/{rank}".replace(" ", "_"), 1.0 / (1 + rank), "d") for rank in range(k)]


def no_passages() -> PassageStore:
    raise AssertionError("nothing asked for texts")


def run(
    searcher: object,
    asked: list[Question],
    output: Output,
    job: BatchOptions,
    shard: Shard | None = None,
    **mode: bool,
) -> BatchPlan:
    plan = make_plan(asked, job, "model")
    here = Here(shard or Shard())
    batch_run(lambda: searcher, lambda: asked, no_passages, output, plan, here, **mode)  # type: ignore[arg-type,return-value]
    return plan


JOB = BatchOptions(k=3, chunk=4)


def part_file(output: Output, part: int) -> Path:
    plan = make_plan(questions(20), JOB, "model")
    return Path(Ledger(output.parts, plan.json(), plan.parts).where(part))


def test_results_come_in_input_order_whatever_the_lengths(tmp_path: Path) -> None:
    asked, searcher = questions(23), Echo()
    run(searcher, asked, Output(tmp_path / "out"), JOB)
    found = list(found_queries(DataFile(tmp_path / "out")))
    assert [one.question for one in found] == asked
    assert [one.passages[0].passage_id for one in found] == [
        question.text.replace(" ", "_") + "/0" for question in asked
    ]
    assert sorted(searcher.asked) == sorted(question.text for question in asked)
    for begin in range(0, 23, 4):
        lengths = list(map(len, searcher.asked[begin : begin + 4]))
        assert lengths == sorted(lengths, reverse=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.plan.json"]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16])
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_merged_equal_one_run(count: int, shards: int, tmp_path: Path) -> None:
    asked = questions(count)
    run(Echo(), asked, Output(tmp_path / "one"), JOB)
    parts = Output(tmp_path / "many")
    for index in random.Random(shards).sample(range(shards), shards):
        run(Echo(), asked, parts, JOB, Shard(index, shards))
    parts.finish(no_passages)
    assert (tmp_path / "many").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_real_retriever_gives_the_same_bytes_in_shards_and_in_pieces(
    tiny_retriever: GenerativeRetriever, tmp_path: Path
) -> None:
    asked = questions(30)
    run(tiny_retriever, asked, Output(tmp_path / "one"), JOB)
    parts = Output(tmp_path / "two")
    for index in (1, 0):
        run(tiny_retriever, asked, parts, JOB, Shard(index, 2))
    parts.finish(no_passages)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()


def _search_in_child(searcher: object, asked: list[Question], path: Path) -> None:
    run(searcher, asked, Output(path), JOB, resume=True)


def killed_runs(searcher: object, folder: Path, kills: int, count: int) -> list[bool]:
    """Kill runs at random moments, resume each to its end, and compare; whether each was killed half-way."""
    asked = questions(count)
    context = multiprocessing.get_context("fork")
    begun = time.monotonic()
    run(searcher, asked, Output(folder / "undisturbed"), JOB)
    seconds = time.monotonic() - begun
    rng, halfway = random.Random(7), []
    for number in range(kills):
        path = folder / f"killed-{number}"
        child = context.Process(target=_search_in_child, args=(searcher, asked, path))
        child.start()
        child.join(rng.uniform(0.05, 1.0) * seconds)
        if child.is_alive() and child.pid is not None:
            child.kill()
        child.join()
        halfway.append(child.exitcode == -signal.SIGKILL and Output(path).parts.exists())
        run(searcher, asked, Output(path), JOB, resume=True)
        assert path.read_bytes() == (folder / "undisturbed").read_bytes(), number
        assert not Output(path).parts.exists()
    return halfway


def test_killed_at_five_moments_and_resumed_gives_the_same_bytes(
    tiny_retriever: GenerativeRetriever, tmp_path: Path
) -> None:
    assert sum(killed_runs(tiny_retriever, tmp_path, 5, 60)) >= 3


@pytest.mark.soak
def test_killed_at_fifty_moments_and_resumed_gives_the_same_bytes(
    tiny_retriever: GenerativeRetriever, tmp_path: Path
) -> None:
    assert sum(killed_runs(tiny_retriever, tmp_path, 50, 120)) >= 40


class StopSearching(Exception):
    """Thrown by a searcher that breaks half-way."""


class Breaking(Echo):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Any = None,
        where: str | None = None,
    ) -> Iterator[list[FakeHit]]:
        for hits in super().iter_search(queries, k, num_beams=num_beams):
            if len(self.asked) > self.after:
                raise StopSearching
            yield hits


def broken_run(path: Path, asked: list[Question], after: int) -> Output:
    output = Output(path)
    with pytest.raises(StopSearching):
        run(Breaking(after), asked, output, JOB)
    return output


def test_resuming_searches_no_finished_chunk_again(tmp_path: Path) -> None:
    asked = questions(20)
    output = broken_run(tmp_path / "out", asked, after=10)
    searcher = Echo()
    run(searcher, asked, output, JOB, resume=True)
    assert sorted(searcher.asked) == sorted(question.text for question in asked[8:])
    again = Echo()
    run(again, asked, output, JOB, resume=True)
    assert again.asked == []


@pytest.mark.parametrize(
    "tail",
    [b"", b'{"query_id": "q8", "hi', b"\xff" * 100, b"\xff" * 100_000],
    ids=["none", "half", "noise", "more than is to come"],
)
def test_what_a_kill_left_half_written_is_passed_over(tail: bytes, tmp_path: Path) -> None:
    asked = questions(20)
    run(Echo(), asked, Output(tmp_path / "one"), JOB)
    output = broken_run(tmp_path / "out", asked, after=10)
    (output.parts / (part_file(output, 2).name + ".tmp")).write_bytes(tail)
    run(Echo(), asked, output, JOB, resume=True)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "one").read_bytes()


def test_a_kill_after_the_output_appeared_is_recognised(tmp_path: Path) -> None:
    asked = questions(9)
    output = Output(tmp_path / "out")
    run(Echo(), asked, output, JOB)
    output.parts.mkdir()
    part_file(output, 0).write_text("left over")
    searcher = Echo()
    run(searcher, asked, output, JOB, resume=True)
    assert searcher.asked == []
    assert not output.parts.exists()


def test_a_damaged_part_is_not_gone_on_with(tmp_path: Path) -> None:
    asked = questions(20)
    output = broken_run(tmp_path / "out", asked, after=10)
    path = part_file(output, 1)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtefactError, match=r"part-000001.*its checksum does not match"):
        run(Echo(), asked, output, JOB, resume=True)
    run(Echo(), asked, output, JOB, overwrite=True)
    assert len(list(found_queries(DataFile(output.path)))) == 20


@pytest.mark.parametrize(
    ("job", "asked", "words"),
    [
        (BatchOptions(k=4, chunk=4), questions(20), "k was 3 and is 4"),
        (BatchOptions(k=3, chunk=5), questions(20), "chunk was 4 and is 5"),
        (BatchOptions(k=3, chunk=4, num_beams=7), questions(20), "num_beams was None and is 7"),
        (JOB, questions(19), "queries was 20 and is 19"),
        (JOB, [*questions(19), Question("q19", "another text", [])], "input was"),
    ],
)
def test_parts_of_another_job_are_refused(
    job: BatchOptions, asked: list[Question], words: str, tmp_path: Path
) -> None:
    output = broken_run(tmp_path / "out", questions(20), after=10)
    with pytest.raises(InputError, match=words):
        run(Echo(), asked, output, job, resume=True)


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    asked = questions(20)
    output = broken_run(tmp_path / "out", asked, after=10)
    with pytest.raises(InputError, match="begun before; pass --resume"):
        run(Echo(), asked, output, JOB)
    run(Echo(), asked, output, JOB, resume=True)
    with pytest.raises(InputError, match="exists already"):
        run(Echo(), asked, output, JOB)
    with pytest.raises(InputError, match="result of another job"):
        run(Echo(), asked, output, BatchOptions(k=2), resume=True)
    run(Echo(), asked, output, BatchOptions(k=2), overwrite=True)
    assert len(next(found_queries(DataFile(output.path))).passages) == 2


def test_two_processes_do_not_write_one_part(tmp_path: Path) -> None:
    asked = questions(20)
    output = Output(tmp_path / "out")

    class Nested(Echo):
        def iter_search(
            self,
            queries: Sequence[str],
            k: int = 10,
            *,
            num_beams: int | None = None,
            constraint: Any = None,
            where: str | None = None,
        ) -> Iterator[list[FakeHit]]:
            with pytest.raises(InputError, match="another process is at the same work"):
                run(Echo(), asked, output, JOB, resume=True)
            return super().iter_search(queries, k, num_beams=num_beams)

    run(Nested(), asked, output, JOB)
    assert len(list(found_queries(DataFile(output.path)))) == 20


def test_the_merge_names_what_is_missing(tmp_path: Path) -> None:
    asked = questions(20)
    output = Output(tmp_path / "out")
    with pytest.raises(InputError, match="no part of a batch run"):
        output.finish(no_passages)
    run(Echo(), asked, output, JOB, Shard(2, 3))
    with pytest.raises(StopSearching):
        run(Breaking(5), asked, output, JOB, Shard(0, 3))
    with pytest.raises(InputError, match=r"3 of 5 parts are missing \(1, 3, 4\)"):
        output.finish(no_passages)
    assert not output.path.exists()
    run(Echo(), asked, output, JOB, Shard(0, 3), resume=True)
    run(Echo(), asked, output, JOB, Shard(1, 3))
    path = part_file(output, 4)
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b"q", b"p", 1))
    with pytest.raises(ArtefactError, match="damaged"):
        output.finish(no_passages)
    other = Output(tmp_path / "other")
    run(Echo(), asked, other, BatchOptions(k=9, chunk=4), Shard(1, 3))
    path.write_bytes(part_file(other, 4).read_bytes())
    with pytest.raises(ArtefactError, match="part of another job"):
        output.finish(no_passages)
    path.write_bytes(part_file(output, 3).read_bytes())
    with pytest.raises(ArtefactError, match="another part of this one"):
        output.finish(no_passages)
    path.write_bytes(stored)
    output.finish(no_passages)
    assert [one.question for one in found_queries(DataFile(output.path))] == asked


def test_a_shard_that_begins_anew_leaves_the_others(tmp_path: Path) -> None:
    asked, output = questions(20), Output(tmp_path / "out")
    run(Echo(), asked, output, JOB, Shard(0, 2))
    run(Echo(), asked, output, JOB, Shard(1, 2))
    run(Echo(), asked, output, JOB, Shard(0, 2), overwrite=True)
    output.finish(no_passages)
    assert [one.question for one in found_queries(DataFile(output.path))] == asked


def test_a_run_goes_on_in_another_number_of_shards(tmp_path: Path) -> None:
    asked, output, searcher = questions(20), Output(tmp_path / "out"), Echo()
    run(Echo(), asked, output, JOB, Shard(0, 2))
    run(searcher, asked, output, JOB, resume=True)
    assert len(searcher.asked) == 8
    assert [one.question for one in found_queries(DataFile(output.path))] == asked


def test_shards_that_begin_anew_with_another_plan(tmp_path: Path) -> None:
    asked, output, other = questions(20), Output(tmp_path / "out"), BatchOptions(k=2, chunk=4)
    run(Echo(), asked, output, JOB, Shard(0, 2))
    with pytest.raises(InputError, match="k was 3 and is 2"):
        run(Echo(), asked, output, other, Shard(1, 2), overwrite=True)
    run(Echo(), asked, output, other, Shard(0, 2), overwrite=True)
    run(Echo(), asked, output, other, Shard(1, 2), overwrite=True)
    output.finish(no_passages)
    assert {len(one.passages) for one in found_queries(DataFile(output.path))} == {2}


def test_memory_does_not_grow_with_the_number_of_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "HELD", 200)
    monkeypatch.setattr(files, "CHUNK", 1 << 16)

    def peak(count: int) -> int:
        def stream() -> Iterator[Question]:
            return (Question(f"q{number}", "who run", []) for number in range(count))

        class Quiet(Echo):
            def iter_search(
                self,
                queries: Sequence[str],
                k: int = 10,
                *,
                num_beams: int | None = None,
                constraint: Any = None,
                where: str | None = None,
            ) -> Iterator[list[FakeHit]]:
                return ([FakeHit("p", 1.0, "d")] for _ in queries)

        plan = make_plan(stream(), BatchOptions(k=1, chunk=100), "model")
        output = Output(tmp_path / str(count))
        tracemalloc.start()
        batch_run(Quiet, stream, no_passages, output, plan)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few, many = peak(600), peak(6_000)
    assert many < few + 300_000
