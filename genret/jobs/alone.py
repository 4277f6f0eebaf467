"""One process at a time: a lock that goes with its process. Knows files only."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fm_index.files import open_for_update
from genret.errors import InputError

__all__ = ["alone"]


@contextmanager
def alone(lock: Path, *, wait: bool) -> Iterator[None]:
    """Inside, no other process is with the same lock; it goes when the block ends, or the process dies.

    Args:
        wait: for one that is inside; else that one is an error.

    Raises:
        InputError: another process is inside.
    """
    with open_for_update(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise InputError(
                f"{lock.parent}: another process is at the same work; wait for it, or end it."
            ) from error
        yield
        # Whoever waited for it, or makes another, finds what was made.
        lock.unlink(missing_ok=True)
