"""Stages of a long job: how long each took and how much memory it held at its peak.

Knows the clock and the operating system's accounting; knows nothing of what the stages do.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["Stage", "Stages", "peak_memory_bytes"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Stage(NamedTuple):
    """A finished stage: wall-clock seconds, and the process's peak resident memory in bytes while it ran."""

    name: str
    seconds: float
    peak_bytes: int


class Stages:
    """Times stages one after the other and announces each as it begins.

    `announce` receives one line when a stage begins.
    """

    def __init__(self, announce: Callable[[str], None] = lambda line: None) -> None:
        self.announce = announce
        self.finished: list[Stage] = []
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the first stage could begin."""
        return time.monotonic() - self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the `with` block as the stage `name`."""
        self.announce(name)
        _reset_peak()
        begin = time.monotonic()
        yield
        self.finished.append(Stage(name, time.monotonic() - begin, peak_memory_bytes()))


def peak_memory_bytes() -> int:
    """Peak resident memory of this process: since the stage began on Linux, since the process began elsewhere."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reset_peak() -> None:
    """Let Linux count the peak from now on; where that is not allowed, peaks stay those of the process."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return
