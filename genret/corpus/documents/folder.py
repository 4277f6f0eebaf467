"""The files of a folder or an archive that are read as a corpus, in a fixed order, and those that are not, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genret.corpus.formats.datafile import DataFile, list_files
from genret.corpus.standard_input import as_text

__all__ = ["LeftOut", "files_below"]


class LeftOut(NamedTuple):
    """A file that is not read, and why."""

    place: str
    reason: str


def files_below(place: Path) -> tuple[list[DataFile], list[LeftOut]]:
    """Every regular file at any depth, by the names of folders and files, and what is passed over.

    Hidden files and folders are, and links to folders, which could lead round.

    Raises:
        InputError: `place` is no folder and no archive.
    """
    if not place.is_dir():
        members = [PurePosixPath(name) for name in list_files(place)]
        hidden = [LeftOut(f"{place}!{one}", HIDDEN) for one in members if _is_hidden(one)]
        return [DataFile(place, str(one), name=str(one)) for one in members if not _is_hidden(one)], hidden
    files: list[DataFile] = []
    left: list[LeftOut] = []
    for path in _walk(place, left):
        files.append(DataFile(path, name=path.relative_to(place).as_posix()))
    return files, left


HIDDEN = "hidden"


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _walk(place: Path, left: list[LeftOut]) -> Iterator[Path]:
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            left.append(LeftOut(as_text(folder), f"cannot be opened ({error.strerror})"))
            continue
        folders = []
        for entry in entries:
            reason = _reason(entry)
            if reason is not None:
                left.append(LeftOut(as_text(entry.path), reason))
            elif entry.is_dir():
                folders.append(Path(entry.path))
            else:
                yield Path(entry.path)
        waiting += reversed(folders)


def _reason(entry: os.DirEntry[str]) -> str | None:
    """Why an entry of a folder is passed over; None where it is not."""
    if entry.name.startswith("."):
        return HIDDEN
    if entry.is_symlink() and entry.is_dir():
        return "a link to a folder"
    if entry.is_dir() or entry.is_file():
        return None
    return "a link that leads nowhere" if entry.is_symlink() else "no regular file"
