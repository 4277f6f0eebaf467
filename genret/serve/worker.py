"""The threads that run the model: requests wait in a queue, and what may be answered together is.

What may be answered in company is also run in lanes: a batch a thread, and for each thread its share of the cores. One
batch on all cores leaves most of them idle while it is prepared and while its answers are written; two batches fill each
other's gaps. What may not has the machine for itself, as in the library.

Knows futures; knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from genret.errors import InputError, UsageError
from genret.serve.limits import Limits

__all__ = ["Busy", "Task", "Worker"]


class Busy(Exception):
    """The queue is full; `seconds` until it will not be, as far as can be told."""

    def __init__(self, seconds: int) -> None:
        super().__init__("the queue is full")
        self.seconds = seconds


class Task(Protocol):
    """What is run for a request. Equal tasks run as one, if they say so.

    Attributes:
        together: whether it may be run for the queries of several requests at once, and beside others that may.
    """

    @property
    def together(self) -> bool: ...

    def __call__(self, queries: Sequence[str], /) -> Sequence[Any]:
        """One result a query."""
        ...


@dataclass(eq=False)
class _Job:
    task: Task
    queries: Sequence[str]
    answered: asyncio.Future[Sequence[Any]]
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=time.monotonic)


class Worker:
    """The queue and its threads.

    Args:
        limits: how much waits, and how much is run at once.
        observe: told of each batch: its queries, and how many seconds it took.
        lanes: batches that are run at the same time, each on its share of the cores; at most as many as PyTorch has.
    """

    def __init__(self, limits: Limits, observe: Callable[[int, float], None], lanes: int = 1) -> None:
        self._limits, self._observe = limits, observe
        self._cores = torch.get_num_threads()
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = self._choosing = self._alone = False
        self._running = 0
        self._pace = 0.1  # seconds a query; corrected by each batch
        self.waiting = 0
        self._threads = [threading.Thread(target=self._run, name="model", daemon=True) for _ in range(lanes)]
        for thread in self._threads:
            thread.start()

    async def run(self, task: Task, queries: Sequence[str]) -> Sequence[Any]:
        """What the task makes of the queries, once its turn has come.

        Raises:
            Busy: too many wait. What the task raises.
        """
        loop = asyncio.get_running_loop()
        job = _Job(task, queries, loop.create_future(), loop)
        with self._changed:
            if self.waiting + len(queries) > self._limits.waiting:
                raise Busy(max(1, round(self.waiting * self._pace)))
            self._jobs.append(job)
            self.waiting += len(queries)
            self._changed.notify_all()
        return await job.answered

    def close(self) -> None:
        """Run what waits, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        torch.set_num_threads(self._cores)

    def _run(self) -> None:
        while batch := self._take():
            begin = time.monotonic()
            outcomes = _outcomes(batch)
            count, seconds = sum(len(job.queries) for job in batch), time.monotonic() - begin
            self._end(count, seconds)
            self._observe(count, seconds)
            batch[0].loop.call_soon_threadsafe(_deliver, batch, outcomes)

    def _take(self) -> list[_Job]:
        """The oldest job, and those that can be run with it; none at the end."""
        with self._changed:
            while not self._ready():
                if self._closed and not self._jobs:
                    return []
                self._changed.wait()
            oldest = self._jobs[0]
            together = oldest.task.together
            if together:
                self._choosing = True
                self._gather(oldest)
                self._choosing = False
            batch = self._fitting(oldest)
            for job in batch:
                self._remove(job)
            self._running, self._alone = self._running + 1, not together
            self._changed.notify_all()
            # OpenMP's number is each thread's own, MKL's is the process's: all that run at once ask for the same.
            torch.set_num_threads(self._cores // len(self._threads) if together else self._cores)
            return batch

    def _ready(self) -> bool:
        """Whether the oldest job may be taken now: in its turn, and beside what is being run."""
        if self._choosing or self._alone or not self._awaited():
            return False
        return self._running == 0 or self._jobs[0].task.together

    def _end(self, count: int, seconds: float) -> None:
        """A batch has been run."""
        with self._changed:
            self._running, self._alone = self._running - 1, False
            self._pace += 0.2 * (seconds / count / len(self._threads) - self._pace)
            self._changed.notify_all()

    def _awaited(self) -> bool:
        """Whether there is a job; those that nobody waits for any more are dropped."""
        for job in [job for job in self._jobs if job.answered.cancelled()]:
            self._remove(job)
        return bool(self._jobs)

    def _remove(self, job: _Job) -> None:
        self._jobs.remove(job)
        self.waiting -= len(job.queries)

    def _gather(self, oldest: _Job) -> None:
        """Wait for company, from when the job came."""
        until = oldest.since + self._limits.gather
        while sum(len(job.queries) for job in self._fitting(oldest)) < self._limits.batch:
            left = until - time.monotonic()
            if left <= 0 or self._closed:
                return
            self._changed.wait(left)

    def _fitting(self, oldest: _Job) -> list[_Job]:
        found, count = [oldest], len(oldest.queries)
        if not oldest.task.together:
            return found
        for job in self._jobs:
            if job is oldest or job.task != oldest.task:
                continue
            if count + len(job.queries) > self._limits.batch:
                break
            found.append(job)
            count += len(job.queries)
        return found


def _outcomes(batch: Sequence[_Job]) -> list[Sequence[Any] | Exception]:
    """Each job's results, or what went wrong with it."""
    task = batch[0].task
    try:
        found = list(task([query for job in batch for query in job.queries]))
    except (InputError, UsageError) as error:
        if len(batch) == 1:
            return [error]
        # One of them is to blame, and the others shall not know of it.
        return [outcome for job in batch for outcome in _outcomes([job])]
    except Exception as error:  # noqa: BLE001  (whatever it is, its request is told, and the thread lives)
        return [error for _ in batch]
    parts, begin = [], 0
    for job in batch:
        parts.append(found[begin : begin + len(job.queries)])
        begin += len(job.queries)
    return [*parts]


def _deliver(batch: Sequence[_Job], outcomes: Sequence[Sequence[Any] | Exception]) -> None:
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.answered.done():
            continue
        if isinstance(outcome, Exception):
            job.answered.set_exception(outcome)
        else:
            job.answered.set_result(outcome)
