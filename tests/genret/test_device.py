"""Which device is a process's own; what CUDA is asked is seen by a stand-in, since few machines have two GPUs."""

from __future__ import annotations

import pytest
import torch

from genret.device import claim_device, peak_memory, pick_device
from genret.errors import UsageError
from genret.training.engines.processes import World, backend


class Cuda:
    """Two GPUs; remembers which was chosen."""

    def __init__(self) -> None:
        self.current: int | None = None

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 2

    def set_device(self, number: int) -> None:
        self.current = number

    def max_memory_allocated(self, device: torch.device) -> int:
        return 1000 + (device.index or 0)


@pytest.fixture
def cuda(monkeypatch):
    stand_in = Cuda()
    for name in ("is_available", "device_count", "set_device", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, getattr(stand_in, name))
    return stand_in


def test_without_a_gpu_it_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    claim_device(1)
    assert pick_device() == torch.device("cpu")
    assert peak_memory(torch.device("cpu")) > 1 << 20
    assert backend() == "gloo"


def test_every_process_of_a_host_has_a_gpu_of_its_own(cuda, monkeypatch):
    assert pick_device() == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert pick_device() == torch.device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "3")  # more processes than GPUs
    assert pick_device() == torch.device("cuda:1")
    assert peak_memory(pick_device()) == 1001


def test_joining_a_run_claims_the_gpu_before_anything_is_sent(cuda, monkeypatch):
    for name, value in {
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "x",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    joined = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda name, timeout: joined.append((name, cuda.current))
    )
    monkeypatch.setattr(
        torch.distributed, "new_group", lambda backend, timeout: joined.append((backend, None))
    )
    monkeypatch.setattr("genret.training.engines.processes._words", [])
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert World.join() == World(1, 2, 1)
    assert joined == [("cpu:gloo,cuda:nccl", 1), ("gloo", None)]


def test_more_processes_than_gpus_is_a_sentence(cuda):
    with pytest.raises(UsageError, match="LOCAL_RANK is 2 and this host has 2 GPUs; start at most 2"):
        claim_device(2)
    assert cuda.current is None
