"""Progress of long work on stderr: items per second and time left.

On a terminal a bar; elsewhere (a log file) one line every ten seconds, so that logs stay readable.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from genret.errors import UsageError

__all__ = ["ProgressReport", "format_duration", "parse_duration", "progress", "silence"]

LOG_INTERVAL_SECONDS = 10.0
# What this process shows; a terminal has room for one.
_shown: list[str] = []
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class ProgressReport:
    """Counts finished items; the subclasses show them."""

    def __init__(self, total: int | None, description: str, unit: str) -> None:
        self.total, self.description, self.unit = total, description, unit
        self.done = 0
        self.text = ""
        self.started = time.monotonic()

    def advance(self, n: int = 1) -> None:
        """Count `n` more items as done."""
        self.done += n
        self.show()

    def note(self, text: str) -> None:
        """Show `text` (a loss, say) beside the counts."""
        self.text = text

    def show(self) -> None:
        """Bring the display up to date."""

    @property
    def rate(self) -> float:
        """Items per second since the start."""
        return self.done / max(time.monotonic() - self.started, 1e-9)


class LogProgress(ProgressReport):
    """One line every ten seconds."""

    def __init__(self, total: int | None, description: str, unit: str, stream: TextIO) -> None:
        super().__init__(total, description, unit)
        self.stream = stream
        self.shown = self.started

    def show(self) -> None:
        now = time.monotonic()
        if now - self.shown >= LOG_INTERVAL_SECONDS:
            self.shown = now
            self.stream.write(self.line() + "\n")
            self.stream.flush()

    def line(self) -> str:
        """The current state as one line of text."""
        of = f"/{self.total:,}" if self.total is not None else ""
        parts = [f"{self.description}: {self.done:,}{of} {self.unit}", f"{self.rate:,.1f} {self.unit}/s"]
        if self.total is not None and self.done:
            parts.append(f"{format_duration((self.total - self.done) / self.rate)} left")
        return ", ".join([*parts, self.text] if self.text else parts)


class BarProgress(ProgressReport):
    """A bar on a terminal."""

    def __init__(self, total: int | None, description: str, unit: str, bar: Progress) -> None:
        super().__init__(total, description, unit)
        self.bar = bar
        self.task = bar.add_task(description, total=total, unit=unit, note="")

    def show(self) -> None:
        self.bar.update(self.task, completed=self.done, note=self.text)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f} {task.fields['unit']} {task.speed or 0:,.1f}/s")


@contextmanager
def progress(total: int | None, description: str, unit: str = "items") -> Iterator[ProgressReport]:
    """Show the progress of a `with` block on stderr; `total=None` when the number of items is not known.

    Inside another, and in a process whose work another one counts, nothing is shown.
    """
    if _shown:
        yield ProgressReport(total, description, unit)
        return
    _shown.append(description)
    try:
        with _showing(total, description, unit) as report:
            yield report
    finally:
        _shown.pop()


def silence() -> None:
    """Show nothing in this process: another one counts its work."""
    _shown.append("silence")


@contextmanager
def _showing(total: int | None, description: str, unit: str) -> Iterator[ProgressReport]:
    if not sys.stderr.isatty():
        yield LogProgress(total, description, unit, sys.stderr)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield BarProgress(total, description, unit, bar)


def format_duration(seconds: float) -> str:
    """`75` as `1m 15s`, `3.21` as `3.2s`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s"


def parse_duration(text: str) -> float:
    """`30m`, `2h`, `90s` or `90` in seconds.

    Raises:
        UsageError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise UsageError(f"a time of {text!r}: expected a number with s, m or h behind it, such as 30m.")
    return float(match[1]) * _UNITS[match[2]]
