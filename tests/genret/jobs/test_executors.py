"""Whoever does the parts, the same bytes: this process, shards, a Slurm array, worker processes; killed and gone on with."""

from __future__ import annotations

import multiprocessing
from copy import copy
from functools import partial
from pathlib import Path

import pytest
from counting import (
    EXPECTED,
    POSITIONS,
    SIZE,
    Counting,
    begun,
    counting_job,
    drive,
    killed_and_started_again,
    result,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.errors import InputError
from genret.jobs.job import HERE, Executor, Here, Once
from genret.jobs.resumable import Parts
from genret.jobs.shards import Shard
from genret.jobs.worker_processes import WorkerProcesses

PARTS = len(Parts(POSITIONS, SIZE))


def test_one_process_does_each_part_once(tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log"))
    HERE.run(job)
    HERE.run(job)
    assert result(job) == EXPECTED
    assert begun(tmp_path / "log") == dict.fromkeys(range(PARTS), 1)


def test_four_shards_and_an_array_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shards", "array"):
        job = counting_job(tmp_path / name, Counting(tmp_path / f"{name}.log"))
        for index in (2, 0, 3, 1):
            monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(index + 1))
            monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
            monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "4")
            Here(Shard.parse("auto" if name == "array" else f"{index}/4")).run(job)
        assert result(job) == EXPECTED
        assert set(begun(tmp_path / f"{name}.log").values()) == {1}
    for part in range(PARTS):
        files = [tmp_path / name / f"part-{part:06}.jsonl" for name in ("shards", "array")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_worker_processes_survive_the_loss_of_one(tmp_path: Path) -> None:
    """A part that kills its process twice is done by the third; nothing else is done twice."""
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log", deadly=5, times=2))
    WorkerProcesses(2).run(job)
    assert result(job) == EXPECTED
    assert begun(tmp_path / "log") == {part: 3 if part == 5 else 1 for part in range(PARTS)}


def test_a_part_that_kills_every_process_is_a_sentence(tmp_path: Path) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log", deadly=5, times=99))
    with pytest.raises(InputError, match=r"lost 3 times while it did part 5 \(process \d+ ended by signal 9"):
        WorkerProcesses(1).run(job)
    assert begun(tmp_path / "log") == {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 3}


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (InputError, InputError, "^part 5 cannot be done$"),
        (KeyError, RuntimeError, "KeyError: 'part 5 cannot"),
    ],
)
def test_what_the_work_raises_is_raised_here(
    error: type[Exception], kind: type[Exception], words: str, tmp_path: Path
) -> None:
    job = counting_job(tmp_path / "job", Counting(tmp_path / "log", broken=5, error=error))
    with pytest.raises(kind, match=words):
        WorkerProcesses(1).run(job)
    again = counting_job(tmp_path / "job", Counting(tmp_path / "again"))
    HERE.run(again)
    assert result(again) == EXPECTED
    assert not begun(tmp_path / "again").keys() & set(range(5))


def test_two_plans_in_one_folder_are_refused(tmp_path: Path) -> None:
    counting_job(tmp_path / "job", Counting(tmp_path / "log"))
    with pytest.raises(InputError, match=r"what was 'squares' and is 'cubes'.*; choose another folder"):
        counting_job(tmp_path / "job", Counting(tmp_path / "log"), plan="cubes")


def killed_and_run_again(folder: Path, executor: Executor, seconds: list[float]) -> None:
    """Kill drivers after so many seconds each; nothing that was written by then is begun again."""
    for number, wait in enumerate(seconds):
        log, before = (
            folder / f"log-{number}",
            counting_job(folder / "job", Counting(folder)).ledger.missing(),
        )
        driver = multiprocessing.get_context("fork").Process(
            target=drive, args=(folder / "job", 0.002, log, executor)
        )
        driver.start()
        driver.join(wait)
        driver.kill()
        driver.join()
        assert set(begun(log)) <= set(before)
    last = counting_job(folder / "job", Counting(folder / "last"))
    before = last.ledger.missing()
    HERE.run(last)
    assert begun(folder / "last") == dict.fromkeys(before, 1)
    assert result(last) == EXPECTED


@settings(max_examples=10, deadline=None)
@given(seconds=st.lists(st.floats(0.005, 0.06), max_size=3))
def test_a_killed_driver_does_nothing_again_that_was_written(
    seconds: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    killed_and_run_again(tmp_path_factory.mktemp("killed"), HERE, seconds)


def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    """And what they had written is not done again."""
    # A worker finishes its part at most.
    killed_and_started_again(tmp_path, WorkerProcesses(2), seconds=0.05, until=3, settling=0.3, logs=tmp_path)


def test_a_value_is_made_once_in_a_process_and_anew_in_another() -> None:
    made: list[int] = []
    once = Once(partial(made.append, 1))
    once(), once()
    assert made == [1]
    copy(once)()
    assert made == [1, 1]
