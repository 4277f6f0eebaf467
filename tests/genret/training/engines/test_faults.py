"""Killed at every moment of a checkpoint, out of disk, damaged, left alone: what is complete is found again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from fault_work import (
    COMPLETE,
    DISTURBED,
    MOMENTS,
    asked_to_stop,
    disk_full,
    go_on,
    killed,
    lost_neighbour,
    ruined,
)
from ranks import read_lines, run_ranks

from genret.training.loop.checkpoint import newest_checkpoint

pytestmark = pytest.mark.timeout(1200)
LOST = 2  # the exit code of a process that says that another one is gone
TIME_LIMIT_SECONDS = 100


def kill_and_go_on(folder: Path, moment: str) -> None:
    alone = moment in (
        "between the processes' writes",
        "before saving",
        "before the manifest",
        "during rotation",
    )
    codes = [-signal.SIGKILL, LOST] if alone else [-signal.SIGKILL] * 2
    if moment == "between the processes' writes":
        codes.reverse()
    run_ranks(2, killed, folder, moment, expect=codes)
    published = DISTURBED if moment == "during rotation" else COMPLETE
    assert newest_checkpoint(folder / "checkpoints").name == f"step-{published:08d}"
    assert run_ranks(1, go_on, folder) == [published]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000008"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_saving(tmp_path, moment):
    kill_and_go_on(tmp_path, moment)


@pytest.mark.soak
@pytest.mark.parametrize("time", range(5))
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_saving_again_and_again(tmp_path, moment, time):
    kill_and_go_on(tmp_path, moment)


def test_a_full_disk_ends_the_run_with_the_checkpoint_before_named(tmp_path):
    found = run_ranks(2, disk_full, tmp_path, expect=[3, 3])
    for message in found:
        assert "step-00000004: this checkpoint cannot be written" in message or "No space left" in message
    assert "No space left on device" in found[1]
    assert "The newest complete one is" in found[1]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000002"]
    assert run_ranks(1, go_on, tmp_path) == [2]


def test_a_ruinous_rate_leaves_the_same_good_checkpoint_in_all_processes(tmp_path):
    run_ranks(2, ruined, tmp_path)
    for stage in range(4):
        good = newest_checkpoint(tmp_path / str(stage) / "checkpoints")
        assert good.name == "step-00000004"
        for rank in range(2):
            assert f"Last good checkpoint: {good}." in (tmp_path / f"{stage}-{rank}.txt").read_text()


def test_a_process_left_alone_ends_with_a_message(tmp_path):
    begin = time.monotonic()
    found = run_ranks(2, lost_neighbour, tmp_path, expect=[LOST, -signal.SIGKILL])
    assert time.monotonic() - begin < TIME_LIMIT_SECONDS
    assert "process 0 of 2: another process of the run has ended or does not answer" in found[0]
    assert "--resume" in found[0]
    assert newest_checkpoint(tmp_path / "checkpoints").name == "step-00000002"


def test_sigterm_to_one_process_saves_and_ends_all(tmp_path):
    found = run_ranks(2, asked_to_stop, tmp_path, expect=[143, 143])
    assert all("step 4 is saved. Go on with --resume" in message for message in found)
    assert newest_checkpoint(tmp_path / "checkpoints").name == "step-00000004"
    assert run_ranks(1, go_on, tmp_path) == [4]
    steps = [line["step"] for line in read_lines(tmp_path / "metrics.jsonl") if line["kind"] == "step"]
    assert steps == list(range(1, 9))
