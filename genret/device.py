"""Where computation runs: which accelerator there is, and how many threads."""

from __future__ import annotations

import torch

from genret.errors import UsageError

__all__ = ["describe_device", "pick_device"]


def pick_device(name: str | None = None) -> torch.device:
    """The device of this name, or CUDA when there is one, else the CPU.

    Raises:
        UsageError: the named device is not known or not available here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def describe_device(device: torch.device) -> str:
    """A device in words: name and memory of a GPU, threads of a CPU."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return f"CPU, {torch.get_num_threads()} threads"
