"""What an executor adds to a part, in ms: jobs of empty parts, few and many, so that starting workers cancels out.

python -m benchmarks.jobs.executors [--ray ADDRESS]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.on_ray import OnRay
from genret.jobs.resumable import Parts
from genret.jobs.worker_processes import WorkerProcesses

FEW, MANY = 50, 450


@dataclass(frozen=True)
class Empty:
    """Work that is none: a part of a kilobyte."""

    def __call__(self) -> Work:
        return self._do

    def _do(self, part: int, advance: Advance) -> bytes:
        return b"x" * 1023 + b"\n"


def seconds(executor: Executor, parts: int) -> float:
    """How long a job of so many empty parts takes."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.begin(Path(folder) / "job", {"parts": parts}, Parts(parts, 1), otherwise="")
        begun = time.monotonic()
        executor.run(Job(ledger, Empty(), "waiting", "parts"))
        return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray", help="Also a Ray cluster: local, or its address.")
    given = parser.parse_args()
    executors: dict[str, Executor] = {"this process": HERE, "one worker process": WorkerProcesses(1)}
    if given.ray is not None:
        executors["Ray, one actor"] = OnRay(given.ray, 1)
    for name, executor in executors.items():
        few, many = seconds(executor, FEW), seconds(executor, MANY)
        print(
            f"{name}: {(many - few) / (MANY - FEW) * 1000:.2f} ms a part, {few:.1f} s for {FEW} with the start"
        )


if __name__ == "__main__":
    main()
