"""Where the parts of a job lie: a folder that all its machines see, or a place on any file system that fsspec knows.

Knows names and bytes; knows nothing of plans and seals. In a folder a file appears at once, by a rename. Elsewhere
there may be none: an object store shows an object when it is complete, other systems show what was written so far.
So whoever reads a file there must be able to tell from its last bytes whether it is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from fm_index.files import atomic_writer, linked, open_regular
from genret.errors import ArtefactError, UsageError
from genret.jobs.alone import alone

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Place", "Storage", "beside", "is_url", "storage_of"]

# A folder, or a URL such as s3://bucket/job.
Place = str | os.PathLike[str]


class Storage(Protocol):
    """Files of one place, by name."""

    # Whether a file whose name is there is whole.
    at_once: bool

    def where(self, name: str) -> str:
        """A file's path or URL, for people."""

    def names(self) -> set[str]:
        """The files that are there; none where the place is not."""

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            OSError: it is missing, or cannot be read.
        """

    def ending(self, name: str, count: int) -> tuple[bytes, int]:
        """The last `count` bytes of a file, and how many it has."""

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        """Write a file; whole or not at all where `at_once`."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def clear(self) -> None:
        """Remove everything."""

    def put(self, name: str, save: Callable[[Path], None]) -> None:
        """Let `save` write a file of this machine, and keep it under a name."""

    def local(self, name: str) -> Path:
        """A file of this machine with the bytes of that name, as long as this process lives."""

    def bring(self, name: str, path: Path) -> None:
        """Make `path` a file of this machine with the bytes of that name: the same file where that can be, else a copy."""

    def alone(self, name: str, *, wait: bool) -> AbstractContextManager[None]:
        """Inside, no other process is inside with this name, where the file system has locks; see `alone`."""


def is_url(place: Place) -> bool:
    """Whether a place is a URL, and not a folder."""
    return "://" in os.fspath(place)


def beside(place: Place, name: str) -> Place:
    """A place, or a file, below another."""
    return f"{os.fspath(place).rstrip('/')}/{name}" if is_url(place) else Path(place) / name


def storage_of(place: Place) -> Storage:
    """The storage at a folder or a URL.

    Raises:
        UsageError: no file system is known for the URL, or its package is not installed.
    """
    if not is_url(place):
        return _Folder(Path(place))
    remote = _Remote(os.fspath(place).rstrip("/"))
    _ = remote.opened
    return remote


@dataclass(frozen=True)
class _Folder:
    """A folder of this machine, or one that machines share under one name."""

    folder: Path
    at_once = True

    def where(self, name: str) -> str:
        return str(self.folder / name)

    def names(self) -> set[str]:
        return set(os.listdir(self.folder)) if self.folder.is_dir() else set()

    def read(self, name: str) -> bytes:
        with open_regular(self.folder / name) as file:
            return file.read()

    def ending(self, name: str, count: int) -> tuple[bytes, int]:
        with open_regular(self.folder / name) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - count, 0))
            return file.read(), size

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_writer(self.folder / name) as file:
            file.writelines(pieces)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, name: str, save: Callable[[Path], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        save(self.folder / name)

    def local(self, name: str) -> Path:
        return self.folder / name

    def bring(self, name: str, path: Path) -> None:
        linked(self.folder / name, path)

    def alone(self, name: str, *, wait: bool) -> AbstractContextManager[None]:
        return alone(self.folder / name, wait=wait)


# What was brought here from elsewhere, by URL, and where it lies until this process ends.
_fetched: dict[str, TemporaryDirectory[str]] = {}


@dataclass(frozen=True)
class _Remote:
    """A place on a file system of fsspec; processes that are sent it open their own."""

    url: str
    at_once = False

    @cached_property
    def opened(self) -> tuple[AbstractFileSystem, str]:
        """The file system, and the path there."""
        from fsspec.core import url_to_fs

        try:
            system, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.url}: {error}; expected a URL of a file system that fsspec knows, with the package that it "
                "names installed."
            ) from error
        return system, str(root).rstrip("/")

    def __reduce__(self) -> tuple[object, ...]:
        return _Remote, (self.url,)

    def where(self, name: str) -> str:
        return f"{self.url}/{name}"

    def names(self) -> set[str]:
        with self._file("") as (system, root):
            # What others wrote since is asked for, not remembered.
            system.invalidate_cache()
            found = system.ls(root, detail=False) if system.exists(root) else []
            return {str(path).rstrip("/").rpartition("/")[2] for path in found}

    def read(self, name: str) -> bytes:
        with self._file(name) as (system, path):
            return bytes(system.cat_file(path))

    def ending(self, name: str, count: int) -> tuple[bytes, int]:
        with self._file(name) as (system, path):
            system.invalidate_cache()
            size = int(system.size(path) or 0)
            return bytes(system.cat_file(path, start=max(size - count, 0), end=size)), size

    def write(self, name: str, pieces: Sequence[bytes]) -> None:
        with self._file(name) as (system, path):
            system.makedirs(self.opened[1], exist_ok=True)
            system.pipe_file(path, b"".join(pieces))

    def remove(self, name: str) -> None:
        with self._file(name) as (system, path):
            if system.exists(path):
                system.rm_file(path)

    def clear(self) -> None:
        with self._file("") as (system, root):
            if system.exists(root):
                system.rm(root, recursive=True)

    def put(self, name: str, save: Callable[[Path], None]) -> None:
        with TemporaryDirectory() as scratch, self._file(name) as (system, path):
            save(Path(scratch) / name)
            system.makedirs(self.opened[1], exist_ok=True)
            system.put_file(str(Path(scratch) / name), path)

    def local(self, name: str) -> Path:
        where = self.where(name)
        if where not in _fetched:
            folder = TemporaryDirectory()
            self.bring(name, Path(folder.name) / name)
            _fetched[where] = folder
        return Path(_fetched[where].name) / name

    def bring(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._file(name) as (system, there):
            system.get_file(there, str(path))

    def alone(self, name: str, *, wait: bool) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def _file(self, name: str) -> Iterator[tuple[AbstractFileSystem, str]]:
        """The file system and a path on it; what its package raises becomes an error that names the place."""
        system, root = self.opened
        try:
            yield system, f"{root}/{name}".rstrip("/")
        except (OSError, ArtefactError):
            raise
        except Exception as error:  # each package has its own
            raise OSError(f"{self.where(name)}: {error}") from error
