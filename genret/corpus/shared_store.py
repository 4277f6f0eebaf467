"""A corpus as the processes of one job share it: the first has it, the others map a file of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genret.corpus.store import PassageStore
from genret.jobs.storage import Place, storage_of

__all__ = ["SharedStore"]

PASSAGES = "passages.bin"


@dataclass(frozen=True)
class SharedStore:
    """Gives the passages; sent to another process, it writes them to its place, unless they are there, for that one.

    Attributes:
        place: a folder, or a URL.
        name: of the file there.
    """

    passages: PassageStore
    place: Place
    name: str = PASSAGES

    def __call__(self) -> PassageStore:
        return self.passages

    def __reduce__(self) -> tuple[Any, ...]:
        storage = storage_of(self.place)
        if self.name not in storage.names():
            storage.put(self.name, self.passages.save)
        return _mapped, (self.place, self.name)

    def remove(self) -> None:
        """Remove the file, if there is one."""
        storage_of(self.place).remove(self.name)


def _mapped(place: Place, name: str) -> SharedStore:
    return SharedStore(PassageStore.load(storage_of(place).local(name)), place, name)
