"""Every long job leaves the same bytes from one process and from the tasks of a Slurm array, in any order."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import genret
from every_job import JOBS, long_job

from genret.retrieval.docids import GenerativeRetriever

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
