"""A process leaves a run with nothing at work that could disturb its end."""

from __future__ import annotations

import psutil
import torch.distributed as dist
from ranks import run_ranks

from genret.training.engines.processes import World


def threads_of_a_group_and_ended() -> tuple[int, int]:
    """Threads of a group of gloo, and those that end when a run is left whose own group somebody keeps, as DeepSpeed
    does."""
    count = psutil.Process().num_threads
    world = World.join()
    kept = [dist.group.WORLD]
    assert world.gather(world.rank) == [0, 1]
    before = count()
    kept.append(dist.new_group(backend="gloo"))
    joined = count()
    world.leave()
    return joined - before, joined - count()


def test_the_threads_of_the_last_exchange_end_before_the_process() -> None:
    """What such a thread frees needs the interpreter; while that ends, it would abort the process."""
    for of_a_group, ended in run_ranks(2, threads_of_a_group_and_ended):
        assert ended == of_a_group > 0
