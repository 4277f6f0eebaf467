"""Shares of a job: as said, as Slurm numbers an array's tasks, and as torchrun divides a machine's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.errors import UsageError
from genret.jobs.shards import Shard

NAMES = ("ID", "COUNT", "MIN", "MAX", "STEP")


def array(patch: pytest.MonkeyPatch, **values: object) -> None:
    """The variables of a task, as sbatch sets them; the others are not set."""
    for name in NAMES:
        patch.delenv(f"SLURM_ARRAY_TASK_{name}", raising=False)
    for name, value in values.items():
        patch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))


@pytest.mark.parametrize("text", ["", "1", "1/", "/2", "2/2", "-1/2", "a/b", "1/0", "0/-1", "²/3", "Auto"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected I/N"):
        Shard.parse(text)


@given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_the_tasks_of_an_array_are_its_shards(first: int, count: int, step: int, full: bool) -> None:
    ids = range(first, first + count * step, step)
    more = {"MIN": first, "STEP": step} | ({"MAX": ids[-1]} if full else {})
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for task in ids:
            array(patch, ID=task, COUNT=count, **more)
            found.append(Shard.parse("auto"))
    assert found == [Shard(index, count) for index in range(count)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "SLURM_ARRAY_TASK_ID is not set, so this is no task of a Slurm array"),
        ({"ID": 1}, "SLURM_ARRAY_TASK_COUNT is not set"),
        ({"ID": "x", "COUNT": 2}, "SLURM_ARRAY_TASK_ID: expected a whole number, found 'x'"),
        ({"ID": 1, "COUNT": "-2"}, "SLURM_ARRAY_TASK_COUNT: expected a whole number, found '-2'"),
        ({"ID": 1, "COUNT": "²"}, "expected a whole number, found '²'"),
        ({"ID": 0, "COUNT": 0}, "task 0 of an array of 0 tasks"),
        ({"ID": 4, "COUNT": 4}, "expected one of numbers without gaps"),
        ({"ID": 1, "COUNT": 4, "MIN": 2}, "expected one of numbers without gaps"),
        ({"ID": 1, "COUNT": 3, "MIN": 0, "MAX": 5}, "from 0 to 5"),
        ({"ID": 3, "COUNT": 3, "MIN": 0, "STEP": 2}, "in steps of 2"),
        ({"ID": 3, "COUNT": 3, "MIN": 0, "STEP": 0}, "in steps of 0"),
    ],
)
def test_what_is_no_task_of_an_array_is_a_sentence(
    values: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array(monkeypatch, **values)
    with pytest.raises(UsageError, match=words):
        Shard.parse("auto")


def test_processes_of_torchrun_divide_a_machines_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Shard.of_process(Shard()) == Shard(1, 2)
    assert Shard.of_process(Shard(2, 3)) == Shard(5, 6)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(UsageError, match="RANK is 2 and WORLD_SIZE 2"):
        Shard.of_process(Shard())
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(UsageError, match="RANK: expected a whole number, found 'one'"):
        Shard.of_process(Shard())
