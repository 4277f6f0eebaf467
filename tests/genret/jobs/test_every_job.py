"""Every long job leaves the same bytes from one process and from the tasks of a Slurm array, in any order,
and from one that was killed and started again."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from command_line import genret
from every_job import JOBS, LongJob, long_job

from genret.jobs.ledger import Ledger
from genret.retrieval.docids import GenerativeRetriever

SPAWN = multiprocessing.get_context("spawn")

# As a scheduler may start them.
TASKS = (3, 1, 4, 2)


@pytest.mark.parametrize("name", JOBS)
def test_an_array_equals_one_process(
    name: str, tiny_retriever: GenerativeRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, one, many = long_job(name, tmp_path, tiny_retriever), tmp_path / "one", tmp_path / "many"
    job.run(monkeypatch, one)
    tasks = [task for task in TASKS if task <= job.parts]
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", str(len(tasks)))
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    for task in tasks:
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        job.run(monkeypatch, many, "--shard", "auto")
    if job.merge is not None:
        assert not many.exists()
        assert genret(monkeypatch, "merge", many, *job.merge) == 0
    assert job.contents(many) == job.contents(one) != {}


def test_a_study_is_not_shared_by_torchrun(
    tiny_retriever: GenerativeRetriever,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = long_job("study", tmp_path, tiny_retriever)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert genret(monkeypatch, *job.command) == 2
    assert "not by torchrun" in capsys.readouterr().err


def killed_after_a_part(job: LongJob, place: Path, *options: object) -> None:
    """What a process does that is killed as soon as it has written a part."""
    patched, write = pytest.MonkeyPatch(), Ledger.write

    def last(ledger: Ledger, part: int, data: bytes) -> None:
        write(ledger, part, data)
        os.kill(os.getpid(), signal.SIGKILL)

    patched.setattr(Ledger, "write", last)
    job.run(patched, place, *options)


@pytest.mark.parametrize("name", JOBS)
def test_a_killed_driver_goes_on(
    name: str, tiny_retriever: GenerativeRetriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a part, and started again: no part is written twice, and the bytes are the same."""
    job, one, killed = long_job(name, tmp_path, tiny_retriever), tmp_path / "one", tmp_path / "killed"
    written: list[int] = []
    write = Ledger.write

    def counted(ledger: Ledger, part: int, data: bytes) -> None:
        written.append(part)
        write(ledger, part, data)

    monkeypatch.setattr(Ledger, "write", counted)
    # Docids are made in parts where anything says so.
    parts = ("--parts", f"{killed}.parts") if name == "docids" else ()
    job.run(monkeypatch, one, *parts)
    whole = sorted(written)
    written.clear()
    driver = SPAWN.Process(target=killed_after_a_part, args=(job, killed, *parts))
    driver.start()
    driver.join()
    assert driver.exitcode == -signal.SIGKILL
    resumed = ("--resume",) if job.merge is not None else ()
    job.run(monkeypatch, killed, *parts, *resumed)
    assert sorted(written) == whole[1:]
    assert job.contents(killed) == job.contents(one) != {}
