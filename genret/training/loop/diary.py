"""A run's diary: `metrics.jsonl`, whose first line says where everything came from, and trackers beside it.

Knows JSON lines, versions, checksums and the sums that a line is made of, over all processes; knows nothing of how
training goes. A loss stays on its device until a line is written.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import Tensor

from fm_index.container import atomic_writer
from genret.artefact import file_digest
from genret.training.engines.processes import World
from genret.training.loop.trackers import Tracker, open_tracker
from genret.version import __version__

__all__ = ["Diary", "MetricsLog", "Window", "provenance"]

LIBRARIES = ("torch", "transformers", "numpy", "safetensors")
GIT_TIMEOUT_SECONDS = 10


class MetricsLog:
    """Appends one JSON object a line; every line is on disk when `write` returns.

    Args:
        path: the file; created with `first` as its first line.
    """

    def __init__(self, path: Path, first: Mapping[str, Any]) -> None:
        self.path = path
        with atomic_writer(path) as file:
            file.write(_line(first))

    @classmethod
    def resume(cls, path: Path, first: Mapping[str, Any], step: int) -> MetricsLog:
        """Go on with an existing file: lines after `step` and a torn last line are dropped, `first` is added.

        A file that is missing begins anew.
        """
        kept = [line for line in _complete_lines(path) if line.get("step", 0) <= step]
        log = cls.__new__(cls)
        log.path = path
        with atomic_writer(path) as file:
            file.writelines(_line(line) for line in [*kept, first])
        return log

    def write(self, content: Mapping[str, Any]) -> None:
        """Append one line."""
        with self.path.open("ab") as file:
            file.write(_line(content))


class Diary:
    """Where a run's lines go: the first process's `metrics.jsonl` and trackers; nowhere in the others."""

    def __init__(self, log: MetricsLog | None = None, trackers: Iterable[Tracker] = ()) -> None:
        self.log, self.trackers = log, list(trackers)

    @classmethod
    def open(
        cls, path: Path, provenance: Mapping[str, Any], resumed: int | None, report_to: Iterable[str]
    ) -> Diary:
        """Begin `path`, or go on with it after the step `resumed`.

        Raises:
            UsageError: a tracker of `report_to` is unknown or not installed.
        """
        trackers = [open_tracker(name, path.parent) for name in report_to]
        if resumed is None:
            return cls(MetricsLog(path, provenance), trackers)
        first = {**provenance, "kind": "resumed", "step": resumed}
        return cls(MetricsLog.resume(path, first, resumed), trackers)

    def write(self, content: Mapping[str, Any]) -> None:
        """Append one line; its numbers go to the trackers."""
        if self.log is None:
            return
        self.log.write(content)
        numbers = {name: value for name, value in content.items() if isinstance(value, int | float)}
        step = int(numbers.pop("step"))
        for tracker in self.trackers:
            tracker(numbers, step)


def provenance(
    configuration: Mapping[str, Any], seeds: Mapping[str, int], data: Iterable[str | Path]
) -> dict[str, Any]:
    """The first line: configuration, seeds, versions, commit when in a git tree, size and checksum of `data` files."""
    return {
        "kind": "provenance",
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "configuration": dict(configuration),
        "seeds": dict(seeds),
        "versions": {"genret": __version__, "python": platform.python_version()} | _versions(),
        "machine": f"{platform.system()} {platform.machine()}",
        "commit": _commit(Path(__file__).parents[1]),
        "command": sys.argv,
        "data": {
            str(path): {"bytes": Path(path).stat().st_size, "xxh3_128": file_digest(Path(path))}
            for path in data
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit(folder: Path) -> str | None:
    """The commit that the library's source is at, with "+" when its files were changed; None outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_TIMEOUT_SECONDS,
        ).stdout.strip()

    try:
        # A copy installed below someone else's git tree is not that tree's commit.
        git("ls-files", "--error-unmatch", str(Path(__file__).relative_to(folder)))
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _line(content: Mapping[str, Any]) -> bytes:
    # JSON has no NaN; a metric can be one.
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
    return json.dumps(finite, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _complete_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for text in path.read_bytes().split(b"\n")[:-1]:
        try:
            line = json.loads(text)
        except ValueError:
            break
        lines.append(line)
    return lines


class Window:
    """Loss, weight, largest gradient norm and last learning rate since the last line.

    Attributes:
        last_loss: mean loss of this process in the window; after `take`, of all.
    """

    def __init__(self) -> None:
        self.total: Tensor | float = 0.0
        self.weight = self.norm = self.rate = 0.0
        self.steps = 0
        self._taken = math.nan

    @classmethod
    def of(cls, state: Mapping[str, Any], world: World) -> Window:
        """What `state` gave, in the first process; the others begin with nothing."""
        window = cls()
        numbers = [state[name] for name in ("total", "weight", "norm", "rate", "steps")]
        if any(type(number) not in (int, float) for number in numbers):
            raise ValueError("a sum of the window is no number")
        window.norm, window.rate, window.steps = state["norm"], state["rate"], state["steps"]
        if world.is_first:
            window.total, window.weight = state["total"], state["weight"]
        return window

    @property
    def last_loss(self) -> float:
        """Loss per unit of weight."""
        return float(self.total) / self.weight if self.weight else self._taken

    def add(self, total: Tensor, weight: float, norm: float, rate: float) -> None:
        """Count a step: this process's sum of losses and its weight, the norm of all."""
        self.total = self.total + total
        self.weight += weight
        self.norm = max(self.norm, norm)
        self.rate = rate
        self.steps += 1

    def take(self, world: World) -> dict[str, float] | None:
        """The window's line of metrics, None when it is empty; the next window begins."""
        if not self.steps:
            return None
        total, weight = world.sum([float(self.total), self.weight])
        line = {"loss": total / weight, "gradient_norm": self.norm, "learning_rate": self.rate}
        self._taken = total / weight
        self.total = self.weight = self.norm = 0.0
        self.steps = 0
        return line

    def state(self, world: World) -> dict[str, float]:
        """All processes' sums, JSON-able."""
        total, weight = world.sum([float(self.total), self.weight])
        return {"total": total, "weight": weight, "norm": self.norm, "rate": self.rate, "steps": self.steps}
