"""Parts handed out to workers that are lost: each is done, none that was written is done again, and it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genret.errors import InputError
from genret.jobs.pool import MOST_LOSSES, Event, hand_out


class Losing:
    """Workers of this process. `draw(n)`, a number below n, says who is next, and what becomes of it.

    A worker is lost while it makes ready, before or after its part is written, or while it is idle.
    """

    def __init__(self, draw: Callable[[int], int], losses: int) -> None:
        self.draw, self.losses = draw, losses
        self.busy: dict[int, int | None] = {}
        self.alive: set[int] = set()
        self.written: Counter[int] = Counter()

    def start(self, worker: int) -> None:
        assert worker not in self.alive
        self.alive.add(worker)
        self.busy[worker] = None

    def give(self, worker: int, part: int) -> None:
        assert worker in self.alive
        assert worker not in self.busy
        self.busy[worker] = part

    def wait(self) -> Event:
        idle = sorted(self.alive - self.busy.keys())
        if self.losses and idle and not self.draw(4):
            return self._lose(idle[self.draw(len(idle))])
        worker = sorted(self.busy)[self.draw(len(self.busy))]
        part = self.busy[worker]
        end = self.draw(6) if self.losses else 5
        if part is not None and end:
            assert not self.written[part], "what was written is done again"
            self.written[part] += 1
        if end < 2:
            return self._lose(worker)
        del self.busy[worker]
        return Event(worker)

    def _lose(self, worker: int) -> Event:
        self.losses -= 1
        self.alive.remove(worker)
        self.busy.pop(worker, None)
        return Event(worker, lost="gone")


@given(st.integers(0, 12), st.integers(1, 5), st.integers(0, 9), st.randoms(use_true_random=False))
def test_every_part_is_written_once_whoever_is_lost(
    count: int, workers: int, losses: int, random: st.DataObject
) -> None:
    pool = Losing(lambda below: random.randrange(below), losses)  # type: ignore[attr-defined]
    told: list[int] = []
    try:
        hand_out(list(range(count)), pool, workers, lambda part: bool(pool.written[part]), told.append)
    except InputError:
        # One thing was lost too often.
        assert losses >= MOST_LOSSES
        return
    assert sorted(told) == list(range(count))
    assert pool.written == Counter(range(count))


class Slow:
    """Its second worker is never ready: a machine that does not come back."""

    def __init__(self) -> None:
        self.free: list[int] = []
        self.given: list[int] = []

    def start(self, worker: int) -> None:
        if worker == 0:
            self.free.append(worker)

    def give(self, worker: int, part: int) -> None:
        self.given.append(part)
        self.free.append(worker)

    def wait(self) -> Event:
        return Event(self.free.pop())


def test_a_worker_that_never_comes_is_not_waited_for() -> None:
    pool = Slow()
    hand_out([0, 1, 2], pool, 2, lambda part: False, lambda part: None)
    assert pool.given == [0, 1, 2]


class Deadly(Slow):
    """Every worker is lost at part 1."""

    def __init__(self) -> None:
        super().__init__()
        self.holds: int | None = None

    def give(self, worker: int, part: int) -> None:
        super().give(worker, part)
        self.holds = part

    def wait(self) -> Event:
        lost = self.holds == 1
        self.holds = None
        return Event(self.free.pop(), lost="signal 9" if lost else None)


def test_a_part_that_ends_its_workers_ends_the_job() -> None:
    pool = Deadly()
    with pytest.raises(InputError, match=r"lost 3 times while it did part 1 \(signal 9\)"):
        hand_out([0, 1, 2], pool, 1, lambda part: False, lambda part: None)
    assert pool.given == [0, 1, 1, 1]


class NeverReady(Slow):
    def wait(self) -> Event:
        return Event(self.free.pop(), lost="no room")


def test_workers_that_are_lost_before_they_are_ready_end_the_job() -> None:
    with pytest.raises(InputError, match=r"lost 3 times while it was made ready \(no room\)"):
        hand_out([0, 1], NeverReady(), 1, lambda part: False, lambda part: None)
