"""A job whose work is counted, in a module of its own: other processes import it by its name."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from genret.errors import InputError
from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place, beside

POSITIONS, SIZE = 37, 3


@dataclass(frozen=True)
class Counting:
    """Writes each position's square, after a line in `log` that it does this part.

    Attributes:
        log: of parts that were begun, of all processes.
        deadly: the part that ends its process, so many times.
        broken: the part whose work raises, and what.
        seconds: of each part.
    """

    log: Path
    deadly: int = -1
    times: int = 0
    broken: int = -1
    error: type[Exception] = InputError
    seconds: float = 0.0

    def __call__(self) -> Work:
        return self._do

    def _do(self, part: int, advance: Advance) -> bytes:
        with self.log.open("a") as file:
            file.write(f"{part}\n")
        time.sleep(self.seconds)
        if part == self.deadly and begun(self.log)[part] <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        if part == self.broken:
            raise self.error(f"part {part} cannot be done")
        rows = Parts(POSITIONS, SIZE).rows(part)
        advance(len(rows))
        return "".join(f"{row * row}\n" for row in rows).encode()


def begun(log: Path) -> Counter[int]:
    """How often each part was begun."""
    return Counter(map(int, log.read_text().split())) if log.exists() else Counter()


def counting_job(folder: Place, start: Counting, plan: str = "squares") -> Job:
    parts = Parts(POSITIONS, SIZE)
    ledger = Ledger.begin(folder, {"what": plan}, parts, otherwise="choose another folder")
    return Job(ledger, start, "squaring", "numbers")


def result(job: Job) -> bytes:
    """What the parts hold together."""
    return b"".join(job.ledger)


EXPECTED = "".join(f"{row * row}\n" for row in range(POSITIONS)).encode()


def drive(folder: Place, seconds: float, log: Path, executor: Executor) -> None:
    """What a driver does: the job of `folder`, so many seconds a part."""
    executor.run(counting_job(folder, Counting(log, seconds=seconds)))


def killed_and_started_again(
    place: Place, executor: Executor, *, seconds: float, until: int, settling: float, logs: Path
) -> None:
    """Kill a driver when so many parts were begun, and start another: nothing that was written is begun again.

    Args:
        settling: seconds until whoever works for a driver that is gone has ended; a part may still come.
    """
    driver = multiprocessing.get_context("spawn").Process(
        target=drive, args=(beside(place, "job"), seconds, logs / "log", executor)
    )
    driver.start()
    while sum(begun(logs / "log").values()) < until:
        assert driver.is_alive()
        time.sleep(0.01)
    driver.kill()
    driver.join()
    time.sleep(settling)
    job = counting_job(beside(place, "job"), Counting(logs / "again"))
    missing = job.ledger.missing()
    assert 0 < len(missing) < len(job.ledger.parts)
    executor.run(job)
    assert result(job) == EXPECTED
    assert begun(logs / "again") == dict.fromkeys(missing, 1)
    HERE.run(job)
    assert begun(logs / "again") == dict.fromkeys(missing, 1)
