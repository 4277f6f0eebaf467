"""What an executor adds to a part, in ms: a job of empty parts, from when its first was written to its last.

python -m benchmarks.jobs.executors [--ray ADDRESS]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.on_ray import OnRay
from genret.jobs.resumable import Parts
from genret.jobs.worker_processes import WorkerProcesses

PARTS = 400


@dataclass(frozen=True)
class Empty:
    """Work that is none: a part of a kilobyte."""

    def __call__(self) -> Work:
        return self._do

    def _do(self, part: int, advance: Advance) -> bytes:
        return b"x" * 1023 + b"\n"


def milliseconds(executor: Executor) -> float:
    """Of a part; what passes before the first is written, such as starting workers, does not count."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.begin(Path(folder) / "job", {"parts": PARTS}, Parts(PARTS, 1), otherwise="")
        executor.run(Job(ledger, Empty(), "waiting", "parts"))
        written = sorted(Path(ledger.where(part)).stat().st_mtime_ns for part in range(PARTS))
    return (written[-1] - written[0]) / (PARTS - 1) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray", help="Also a Ray cluster: local, or its address.")
    given = parser.parse_args()
    executors: dict[str, Executor] = {"this process": HERE, "one worker process": WorkerProcesses(1)}
    if given.ray is not None:
        executors["Ray, one actor"] = OnRay(given.ray, 1)
    for name, executor in executors.items():
        print(f"{name}: {milliseconds(executor):.2f} ms a part")


if __name__ == "__main__":
    main()
