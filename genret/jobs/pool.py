"""Parts handed out to workers as they are free; what a lost worker had is done again by another.

Knows workers by number; how they are started, on which machine, and how one is known to be lost is the pool's.
"""

from __future__ import annotations

import traceback
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from genret.errors import ArtefactError, InputError, UsageError
from genret.jobs.job import Job
from genret.jobs.progress import progress, silence

__all__ = ["Event", "PartWorker", "Pool", "hand_out", "run_in"]

# A part that ended so many workers ends the job.
MOST_LOSSES = 3


class Event(NamedTuple):
    """What happened to a worker: it is free (it was made ready, or its part is written), or lost, or failed.

    Attributes:
        lost: what is known of its end, as words; None: it lives.
        error: what its work raised.
    """

    worker: int
    lost: str | None = None
    error: Exception | None = None


class Pool(Protocol):
    """Workers, each of which makes ready when started and then does one part at a time."""

    def start(self, worker: int) -> None:
        """Start a worker, or another in the place of one that was lost; an event says when it is ready."""

    def give(self, worker: int, part: int) -> None:
        """Let a free worker do a part; an event says when it is written."""

    def wait(self) -> Event:
        """The next thing that happens."""


class PartWorker:
    """What a worker is, wherever it runs: what goes wrong is told, so that only a worker's end is a loss."""

    def ready(self, job: Job) -> Exception | None:
        """Make ready for a job's parts; gives what went wrong."""
        silence()
        try:
            job.ledger.check_here()
            self._ledger, self._work = job.ledger, job.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the job
            return _told(error)
        return None

    def do(self, part: int) -> Exception | None:
        """Do a part, and write it; gives what went wrong."""
        try:
            self._ledger.write(part, self._work(part, lambda count: None))
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the job
            return _told(error)
        return None


class _Hand:
    """The parts of a job: those that wait, those that a worker has, and the workers that have none."""

    def __init__(
        self, parts: list[int], pool: Pool, is_done: Callable[[int], bool], done: Callable[[int], None]
    ) -> None:
        self.pool, self.is_done, self.done = pool, is_done, done
        self.left, self.waiting = set(parts), deque(parts)
        # By worker: its part; None while it makes ready.
        self.held: dict[int, int | None] = {}
        self.idle: list[int] = []
        self.losses: Counter[int | None] = Counter()

    def start(self, worker: int) -> None:
        """A worker, for the first time or in the place of a lost one."""
        self.held[worker] = None
        self.pool.start(worker)

    def free(self, worker: int) -> None:
        """Give the worker a part, or let it wait for one that another loses."""
        if self.waiting:
            self.held[worker] = part = self.waiting.popleft()
            self.pool.give(worker, part)
        else:
            self.idle.append(worker)

    def finish(self, part: int) -> None:
        """A part is written."""
        self.left.discard(part)
        self.done(part)

    def lost(self, worker: int, why: str) -> None:
        """What the worker had goes to one that is idle, or to another in its place."""
        if worker in self.idle:
            self.idle.remove(worker)
            return
        part = self.held.pop(worker)
        if part is not None and self.is_done(part):
            self.finish(part)
        elif part is not None:
            self.waiting.appendleft(part)
        self.losses[part] += 1
        if self.losses[part] >= MOST_LOSSES and part in {None, *self.waiting}:
            doing = "while it was made ready" if part is None else f"while it did part {part}"
            raise InputError(
                f"a worker was lost {MOST_LOSSES} times {doing} ({why}); if memory ran out, use fewer workers or "
                "smaller parts. What is written stays: run the job again to go on."
            )
        if self.waiting and self.idle:
            self.free(self.idle.pop())
        elif self.waiting:
            self.start(worker)

    def take(self, event: Event) -> None:
        """Act on what happened."""
        if event.error is not None:
            raise event.error
        if event.lost is not None:
            self.lost(event.worker, event.lost)
            return
        part = self.held.pop(event.worker)
        if part is None:
            self.losses.pop(None, None)
        else:
            self.finish(part)
        self.free(event.worker)


def hand_out(
    parts: list[int], pool: Pool, workers: int, is_done: Callable[[int], bool], done: Callable[[int], None]
) -> None:
    """Let a pool of `workers` do all parts, each once, but for those that were lost unwritten.

    Args:
        is_done: whether a part was written.
        done: told each part when it is.

    Raises:
        InputError: a worker was lost too often at one thing. Whatever the work raises.
    """
    hand = _Hand(parts, pool, is_done, done)
    for worker in range(min(workers, len(parts))):
        hand.start(worker)
    while hand.left:
        hand.take(pool.wait())


def run_in(pool: Pool, job: Job, missing: list[int], workers: int) -> None:
    """Do a job's missing parts in a pool, under one progress for all workers."""
    with progress(job.size(missing), job.doing, job.unit) as report:
        hand_out(missing, pool, workers, job.ledger.is_done, lambda part: report.advance(job.size([part])))


def _told(error: Exception) -> Exception:
    """An error of the work as another process can be told it: our own by their sentence, others with where they arose."""
    for kind in (InputError, ArtefactError, UsageError):
        if isinstance(error, kind):
            return kind(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))
