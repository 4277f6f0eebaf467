"""A long job, whoever does it: what each part is, where it is written, and the order in this process.

Knows ledgers and shares; knows nothing of processes and machines beside its own. The work on a part depends on the
plan and on the part's number alone, so that every executor leaves the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from genret.jobs.ledger import Ledger
from genret.jobs.progress import progress
from genret.jobs.shards import WHOLE, Shard

__all__ = ["HERE", "Advance", "Executor", "Here", "Job", "Once", "Work"]

T = TypeVar("T")

# Counts finished items.
Advance: TypeAlias = Callable[[int], None]
# The bytes of a part, by its number.
Work: TypeAlias = Callable[[int, Advance], bytes]


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        ledger: where parts are written, and which there are.
        start: makes ready, such as by loading a model, and gives what does a part; called once by each process that
            works, and only where parts are missing. Executors with several processes pickle it.
        doing, unit: for the progress: "searching", "queries".
    """

    ledger: Ledger
    start: Callable[[], Work]
    doing: str
    unit: str

    def size(self, parts: list[int]) -> int:
        """Positions of these parts."""
        return sum(len(self.ledger.parts.rows(part)) for part in parts)


class Executor(Protocol):
    """Who does which part.

    Attributes:
        share: the parts that are done here; others are left to other calls.
    """

    @property
    def share(self) -> Shard: ...

    def run(self, job: Job) -> None:
        """Do the missing parts of the share.

        Raises:
            InputError: another process is at the same share; and what the work raises.
        """


@dataclass(frozen=True)
class Here:
    """This process does a share's parts, one after the other."""

    share: Shard = WHOLE

    def run(self, job: Job) -> None:
        ledger = job.ledger
        with ledger.alone(self.share):
            missing = ledger.missing(self.share)
            if not missing:
                return
            work = job.start()
            with progress(job.size(missing), job.doing, job.unit) as report:
                for part in missing:
                    ledger.write(part, work(part, report.advance))


HERE = Here()


class Once(Generic[T]):
    """A value that is made when first asked for, and made again in every process that this is sent to."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._made = make, list[T]()

    def __call__(self) -> T:
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return Once, (self._make,)
