"""Where computation runs: which accelerator is this process's, how many threads, how much memory was needed."""

from __future__ import annotations

import os

import torch

from genret.errors import UsageError
from genret.jobs.stages import peak_memory_bytes

__all__ = ["claim_device", "describe_device", "peak_memory", "pick_device"]


def pick_device(name: str | None = None) -> torch.device:
    """The device of this name, or CUDA when there is one, else the CPU.

    Of several GPUs, a process that a launcher started takes the one whose number is its LOCAL_RANK; where there are
    fewer GPUs than processes, they share them.

    Raises:
        UsageError: the named device is not known or not available here.
    """
    if name is None:
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def claim_device(local_rank: int) -> None:
    """Make the GPU of this number, where there are GPUs, the one that this process means by "cuda".

    Raises:
        UsageError: this host has fewer.
    """
    if not torch.cuda.is_available():
        return
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise UsageError(
            f"LOCAL_RANK is {local_rank} and this host has {count} GPUs; start at most {count} processes on it."
        )
    torch.cuda.set_device(local_rank)


def peak_memory(device: torch.device) -> int:
    """The most bytes that tensors took on a GPU so far; of a CPU, this process's peak resident memory."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory_bytes()


def describe_device(device: torch.device) -> str:
    """A device in words: name and memory of a GPU, threads of a CPU."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return f"CPU, {torch.get_num_threads()} threads"
