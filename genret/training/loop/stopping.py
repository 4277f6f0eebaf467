"""The end of a run that somebody asked for: SIGTERM, as schedulers send it before they take a machine back.

Knows signals; knows nothing of training.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopSignal", "StoppedError"]


class StoppedError(Exception):
    """The run ended because it was asked to; the message says how to go on."""

    exit_code = 128 + signal.SIGTERM

    @classmethod
    def after(cls, step: int, folder: Path) -> StoppedError:
        """After so many steps of the run in `folder`."""
        return cls(f"{folder}: asked to stop (SIGTERM); step {step} is saved. Go on with --resume.")


class StopSignal:
    """Inside the `with` block SIGTERM ends nothing: it is remembered in `received`.

    Outside the main thread, where signals cannot be handled, it does nothing.
    """

    def __init__(self) -> None:
        self.received = False
        self._before: Any = None

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
