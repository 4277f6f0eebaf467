"""The queue before the model: what is run together, what is refused, dropped, and told of failures."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from answering import cores

from genret.errors import InputError
from genret.serve.limits import Limits
from genret.serve.worker import Busy, Worker


@dataclass
class Echo:
    """Answers with its name; holds until it may go on."""

    name: str = ""
    together: bool = True
    batches: list[list[str]] = field(default_factory=list, compare=False)
    go: threading.Event = field(default_factory=threading.Event, compare=False)

    def __call__(self, queries: Sequence[str], /) -> Sequence[str]:
        self.go.wait()
        self.batches.append(list(queries))
        if "bad" in queries:
            raise InputError("bad.")
        if "worse" in queries:
            raise ZeroDivisionError
        return [f"{self.name}{query}" for query in queries]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def worker(lanes: int = 1, **limits: Any) -> tuple[Worker, list[int]]:
    seen: list[int] = []
    return Worker(Limits(**limits), lambda queries, seconds: seen.append(queries), lanes), seen


@dataclass(frozen=True)
class Beside:
    """Answers with the largest number of calls that were running at any moment of its own, and the threads it had."""

    running: list[int]
    together: bool

    def __call__(self, queries: Sequence[str], /) -> Sequence[tuple[int, int]]:
        self.running.append(1)
        most = 0
        for _ in range(10):
            time.sleep(0.005)
            most = max(most, len(self.running))
        self.running.pop()
        return [(most, torch.get_num_threads()) for _ in queries]

    def __hash__(self) -> int:
        return id(self)


def test_equal_tasks_run_together_up_to_a_batch_and_others_apart() -> None:
    async def work() -> None:
        found, seen = worker(batch=4, gather=0.0)
        first, second, alone = Echo("a"), Echo("b"), Echo("c", together=False)
        for echo in (second, alone):
            echo.go.set()
        jobs = [asyncio.ensure_future(found.run(first, ["0"]))]
        await asyncio.sleep(0.05)  # it is being run, and holds the others up
        later = [(second, ["1", "2"]), (alone, ["3"]), (second, ["4"]), (alone, ["5"]), (second, ["6", "7"])]
        jobs += [asyncio.ensure_future(found.run(task, queries)) for task, queries in later]
        await asyncio.sleep(0.05)
        first.go.set()
        answers = await asyncio.gather(*jobs)
        assert answers == [["a0"], ["b1", "b2"], ["c3"], ["b4"], ["c5"], ["b6", "b7"]]
        assert second.batches == [["1", "2", "4"], ["6", "7"]]
        assert alone.batches == [["3"], ["5"]]
        assert sorted(seen) == [1, 1, 1, 2, 3]
        await asyncio.to_thread(found.close)

    run(work())


def test_company_is_waited_for_a_moment() -> None:
    async def work() -> None:
        found, seen = worker(batch=2, gather=30.0)
        echo = Echo()
        echo.go.set()
        assert await asyncio.gather(found.run(echo, ["1"]), found.run(echo, ["2"])) == [["1"], ["2"]]
        assert seen == [2]
        await asyncio.to_thread(found.close)

    run(work())


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    async def work() -> None:
        found, _ = worker(waiting=2, gather=0.0)
        echo = Echo()
        held = asyncio.ensure_future(found.run(echo, ["held"]))
        await asyncio.sleep(0)
        while found.waiting:
            await asyncio.sleep(0.01)
        waiting = asyncio.ensure_future(found.run(echo, ["1", "2"]))
        await asyncio.sleep(0.01)
        with pytest.raises(Busy) as refused:
            await found.run(echo, ["3"])
        assert refused.value.seconds >= 1
        echo.go.set()
        assert await waiting == ["1", "2"]
        assert await held == ["held"]
        assert found.waiting == 0
        await asyncio.to_thread(found.close)

    run(work())


def test_what_nobody_waits_for_is_dropped() -> None:
    async def work() -> None:
        found, _ = worker(gather=0.0)
        first, second = Echo("a"), Echo("b")
        second.go.set()
        held = asyncio.ensure_future(found.run(first, ["0"]))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await found.run(second, ["1"])
        first.go.set()
        assert await held == ["a0"]
        assert await found.run(second, ["2"]) == ["b2"]
        assert second.batches == [["2"]]
        assert found.waiting == 0
        await asyncio.to_thread(found.close)

    run(work())


@pytest.mark.parametrize(("query", "error"), [("bad", InputError), ("worse", ZeroDivisionError)])
def test_only_who_is_to_blame_is_told_and_the_thread_lives(query: str, error: type[Exception]) -> None:
    async def work() -> None:
        found, _ = worker(batch=3, gather=30.0)
        echo = Echo()
        echo.go.set()
        asked = [found.run(echo, [one]) for one in ("1", query, "2")]
        first, blamed, last = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(blamed, error)
        if error is InputError:
            assert (first, last) == (["1"], ["2"])
        assert await found.run(Echo(go=echo.go, together=False), ["3"]) == ["3"]
        await asyncio.to_thread(found.close)

    run(work())


def test_lanes_run_batches_beside_each_other_and_the_rest_alone() -> None:
    async def work() -> None:
        found, _ = worker(lanes=2, batch=1, gather=0.0)
        running: list[int] = []
        kinds = [True, True, False, True, True, False, False, True]
        tasks = [Beside(running, together) for together in kinds]
        answers = await asyncio.gather(*(found.run(task, ["1"]) for task in tasks))
        for together, [(most, threads)] in zip(kinds, answers, strict=True):
            assert most <= 2 if together else most == 1
            assert threads == (2 if together else 4)
        assert answers[0][0][0] == answers[1][0][0] == 2
        await asyncio.to_thread(found.close)

    with cores(4):
        run(work())


def test_a_lane_that_waits_for_company_keeps_no_other_from_its_end() -> None:
    async def work() -> None:
        found, seen = worker(lanes=3, batch=4, gather=30.0)
        echo = Echo()
        echo.go.set()
        jobs = [asyncio.ensure_future(found.run(echo, [query])) for query in ("1", "2")]
        while found.waiting < 2:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(found.close)  # nobody waits any longer
        assert await asyncio.gather(*jobs) == [["1"], ["2"]]
        assert sum(seen) == 2

    with cores(3):
        run(work())


def test_at_its_end_what_waits_is_answered() -> None:
    async def work() -> None:
        found, _ = worker(gather=0.0)
        echo = Echo()
        jobs = [asyncio.ensure_future(found.run(echo, [str(number)])) for number in range(5)]
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(asyncio.to_thread(found.close))
        echo.go.set()
        assert await asyncio.gather(*jobs) == [[str(number)] for number in range(5)]
        await closing

    run(work())
