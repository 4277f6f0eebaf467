"""A corpus as the processes of one job share it: the first has it, the others map a file of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genret.corpus.store import PassageStore

__all__ = ["SharedStore"]


@dataclass(frozen=True)
class SharedStore:
    """Gives the passages; sent to another process, it writes them to `file`, where there is none yet, for that one."""

    passages: PassageStore
    file: Path

    def __call__(self) -> PassageStore:
        return self.passages

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.file.exists():
            self.passages.save(self.file)
        return _mapped, (self.file,)


def _mapped(file: Path) -> SharedStore:
    return SharedStore(PassageStore.load(file), file)
