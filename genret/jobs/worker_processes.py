"""A job's parts in several processes of this machine.

Knows processes and pipes. A process that ends, by whatever signal, is noticed by the end of its pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from genret.jobs.job import Job
from genret.jobs.pool import Event, PartWorker, run_in
from genret.jobs.shards import WHOLE, Shard

__all__ = ["WorkerProcesses"]

# Nothing of this process is in the others but what they are sent: a model library's threads do not survive a fork.
CONTEXT = multiprocessing.get_context("spawn")
SECONDS_TO_END = 10


@dataclass(frozen=True)
class WorkerProcesses:
    """`workers` processes do a share's parts; of several GPUs each takes the one of its number."""

    workers: int
    share: Shard = WHOLE

    def run(self, job: Job) -> None:
        with job.ledger.alone(self.share):
            missing = job.ledger.missing(self.share)
            with _processes(job, min(self.workers, len(missing))) as pool:
                run_in(pool, job, missing, self.workers)


@dataclass
class _Processes:
    """The workers of one run, by number."""

    job: Job
    threads: int
    processes: dict[int, BaseProcess] = field(default_factory=dict)
    pipes: dict[int, Connection] = field(default_factory=dict)

    def start(self, worker: int) -> None:
        self.pipes[worker], theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_serve, args=(theirs, worker, self.threads), daemon=True)
        self.processes[worker] = process
        process.start()
        # Theirs alone from now on, so that its end is seen here.
        theirs.close()
        self._send(worker, self.job)

    def give(self, worker: int, part: int) -> None:
        self._send(worker, part)

    def wait(self) -> Event:
        places = {pipe: worker for worker, pipe in self.pipes.items()}
        pipe = wait(list(places))[0]
        assert isinstance(pipe, Connection)
        worker = places[pipe]
        try:
            return Event(worker, error=pipe.recv())
        except (EOFError, OSError):
            self.pipes.pop(worker).close()
            process = self.processes[worker]
            process.join(SECONDS_TO_END)
            code = process.exitcode or 0
            ended = f"by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"with exit code {code}"
            return Event(worker, lost=f"process {process.pid} ended {ended}")

    def _send(self, worker: int, what: Job | int) -> None:
        # One that has ended is seen by `wait`.
        with suppress(BrokenPipeError):
            self.pipes[worker].send(what)

    def end(self) -> None:
        """Let go of all."""
        for pipe in self.pipes.values():
            pipe.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join(SECONDS_TO_END)


@contextmanager
def _processes(job: Job, workers: int) -> Iterator[_Processes]:
    pool = _Processes(job, max((os.cpu_count() or 1) // max(workers, 1), 1))
    try:
        yield pool
    finally:
        pool.end()


def _serve(pipe: Connection, worker: int, threads: int) -> None:
    """A worker's life: it is sent the job, then parts, until the pipe ends."""
    # An interrupt is the first process's to handle; it ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["LOCAL_RANK"] = str(worker)
    # Before the job, and with it the libraries that count threads, is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    mine = PartWorker()
    # Without the first process the pipe ends, and there is nobody to tell.
    with suppress(EOFError, BrokenPipeError):
        pipe.send(mine.ready(pipe.recv()))
        while True:
            pipe.send(mine.do(pipe.recv()))
