from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import genret.demo
from genret.demo.docstrings import Entry


def run_harvest() -> subprocess.CompletedProcess[bytes]:
    """The harvest as the demo runs it; each run has another hash seed, because -I ignores PYTHONHASHSEED."""
    script = Path(genret.demo.__file__).with_name("docstrings.py")
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script)], capture_output=True, check=True, timeout=120
    )


@pytest.fixture(scope="session")
def harvested() -> subprocess.CompletedProcess[bytes]:
    return run_harvest()


@pytest.fixture(scope="session")
def harvested_again() -> subprocess.CompletedProcess[bytes]:
    return run_harvest()


@pytest.fixture(scope="session")
def entries(harvested: subprocess.CompletedProcess[bytes]) -> dict[str, Entry]:
    found = [Entry(*json.loads(line)) for line in harvested.stdout.decode().splitlines()]
    assert len({entry.name for entry in found}) == len(found)
    return {entry.name: entry for entry in found}
