"""Folders that change: each change is a new generation, which shares with the one before what stayed the same.

Knows files and manifests; knows nothing of models. Who reads finds one generation, whole; who changes holds the folder
alone, and finds it as it was when the change began, or is told.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from fm_index.files import file_digest, linked, read_json, scratch_folder
from genret.artefact import (
    MANIFEST,
    CheckedFolder,
    Entry,
    checked_folder,
    clear_left_over,
    own_files,
    same_file,
    seal_folder,
    swap,
)
from genret.errors import ArtefactError, InputError
from genret.stamps import carries_build

__all__ = ["changing", "kept_entries", "publish_generation", "read_whole"]

T = TypeVar("T")
# How a file system says that it has no locks.
NO_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


def read_whole(folder: str | os.PathLike[str], read: Callable[[], T]) -> T:
    """What `read` makes of the files of a folder, all of one generation: read again where another came meanwhile."""
    while True:
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return read()  # which says what is wrong
        # As long as it is open, no later folder gets its number.
        try:
            found = read()
            if _is_at(held, folder):
                return found
        except Exception:
            if _is_at(held, folder):
                raise
        finally:
            os.close(held)


@contextmanager
def changing(folder: str | os.PathLike[str], waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Inside, no other process changes the folder; waits for one that does, after calling `waits`.

    Raises:
        InputError: there is no such folder, or it may not be written to.
    """
    held = _hold(folder, waits)
    try:
        yield
    finally:
        os.close(held)


def publish_generation(
    now: CheckedFolder, write: Callable[[Path], Mapping[str, Any]], *, kind: str, version: int
) -> CheckedFolder:
    """Put a new generation in the place of `now`, and return it; to be called inside `changing`.

    `write` is given a folder with all files of `now`, linked, replaces or removes some of them, and returns what the
    manifest's `meta` shall be. It must not write into one: processes may have it open. The new generation is complete
    on disk before it is seen, and seen at once (`genret.artefact.swap`).

    Raises:
        InputError: the folder is no longer that of `now`. ArtefactError: a file is no longer what it was.
    """
    place = now.folder.resolve()
    if _checksum(place) != now.checksum:
        raise InputError(
            f"{now.folder}: another process has changed it since it was loaded; load it again, and repeat the change."
        )
    clear_left_over(place)
    with scratch_folder(place, ".tmp") as scratch:
        for name, entry in now.files.items():
            _link(place / name, scratch / name, entry)
        meta = write(scratch)
        seal_folder(scratch, kind=kind, version=version, meta=meta, kept=kept_entries(now, scratch))
        made = checked_folder(scratch, kind=kind, version=version, verify=False)
        # Just written, or seen before: nothing of it need be read to be known.
        seen = {name: same_file(scratch / name) for name in made.files}
        shutil.copymode(place, scratch)
        swap(scratch, place)
    return replace(made, folder=now.folder, seen=seen)


def kept_entries(now: CheckedFolder, folder: Path) -> dict[str, Entry]:
    """What the manifest of a new generation says of the files that it shares with `now`.

    Files that are provably those that were checked are not read again.

    Raises:
        ArtefactError: one that should be the same is not.
    """
    kept: dict[str, Entry] = {}
    own = set(own_files(now.files))
    for name, entry in now.files.items():
        path = folder / name
        if not path.exists() or not path.samefile(now.folder / name):
            continue
        if same_file(path) != now.seen.get(name):
            _check_digest(path, entry, now.folder / name)
        # Of the first folders none has a build: "".
        build = {"build": entry.get("build", now.build or "")} if name in own and carries_build(path) else {}
        kept[name] = {**entry, **build}
    return kept


def _link(old: Path, new: Path, entry: Entry) -> None:
    """The same file under a second name; a copy, which is checked, where the file system has no second names."""
    if not linked(old, new):
        _check_digest(new, entry, old)


def _check_digest(path: Path, entry: Entry, named: Path) -> None:
    if file_digest(path) != entry["xxh3_128"]:
        raise ArtefactError(
            f"{named}: damaged: its checksum differs from the manifest's. Restore it from a copy."
        )


def _checksum(folder: Path) -> str | None:
    """What tells a generation from every other: the checksum of its manifest."""
    checksum: str | None = read_json(folder / MANIFEST).get("checksum")
    return checksum


def _hold(folder: str | os.PathLike[str], waits: Callable[[], None]) -> int:
    """Open the folder and hold it alone."""
    while True:
        held = _open(folder)
        try:
            _lock(held, waits)
            if _is_at(held, folder):
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)  # who held it before has put another in its place


def _open(folder: str | os.PathLike[str]) -> int:
    place = Path(folder).resolve()
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; name a model folder.")
    for path in (place, place.parent):
        if not os.access(path, os.W_OK | os.X_OK):
            raise InputError(
                f"{folder}: cannot be changed: {path} may not be written to. Change its permissions, or change a copy "
                "of the folder."
            )
    return os.open(place, os.O_RDONLY | os.O_DIRECTORY)


def _lock(held: int, waits: Callable[[], None]) -> None:
    """Hold an open folder alone. On a file system without locks nothing is held: `publish_generation` notices changes."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waits()
        fcntl.flock(held, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _is_at(held: int, folder: str | os.PathLike[str]) -> bool:
    """Whether an open folder is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(held), os.stat(folder))
    except FileNotFoundError:
        return False
