"""Processes that change a model folder are killed at any moment: a reader finds one generation, whole, all the while."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from change_kills import read

TESTS = Path(__file__).resolve().parent.parent.parent


def survives(kind: str, folder: Path, kills: int, seed: int) -> None:
    folder.parent.mkdir()
    paths = [str(TESTS / "genret"), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [
        sys.executable,
        str(TESTS / "genret" / "change_kills.py"),
        kind,
        str(folder),
        str(kills),
        str(seed),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            reads = 0
            while process.poll() is None:
                read(folder)
                reads += 1
        finally:
            process.kill()
        generations = process.stdout.read()
    assert process.returncode == 0
    assert reads > 0
    assert int(generations) > 0


@pytest.mark.parametrize("kind", ["docids", "ngrams"])
def test_a_kill_leaves_one_generation_whole(kind: str, tmp_path: Path) -> None:
    survives(kind, tmp_path / "home" / "model", kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [100, 200])
@pytest.mark.parametrize("kind", ["docids", "ngrams"])
@pytest.mark.timeout(1800)
def test_many_kills_leave_one_generation_whole(kind: str, seed: int, tmp_path: Path) -> None:
    survives(kind, tmp_path / "home" / "model", kills=25, seed=seed)
