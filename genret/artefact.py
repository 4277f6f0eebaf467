"""Folders that can be trusted: written beside their place, manifest last, published by one rename.

Knows files and checksums; knows nothing of models or docids. What was published together has one build: a digest of
all its content, in the manifest and in every file that has room for it, so that files of two builds do not mix.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash

from fm_index.files import (
    atomic_writer,
    clear_stale,
    exchange,
    file_digest,
    is_regular,
    read_json,
    scratch_folder,
    stale,
    sync_folder,
)
from genret.errors import ArtefactError, InputError
from genret.stamps import build_of, carries_build, held_digest, stamp
from genret.version import __version__

__all__ = [
    "MANIFEST",
    "CheckedFolder",
    "Entry",
    "check_folder",
    "checked_folder",
    "clear_left_over",
    "file_digest",
    "folder_build",
    "folder_kind",
    "own_files",
    "publish_folder",
    "refuse_existing",
    "refuse_foreign",
    "same_file",
    "seal_folder",
    "swap",
    "write_manifest",
]

MANIFEST = "genret.json"
# Of a file, in a manifest: "bytes", "xxh3_128", and "build" where it was published earlier than what is beside it.
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class CheckedFolder:
    """A folder that passed `checked_folder`, and what its manifest says.

    Attributes:
        folder: its path.
        meta: what was published with it.
        build: of what is new in it; None where it was published without one.
        checksum: of the manifest, and by it of all files.
        files: each file's entry, in folders below too.
        seen: of each file that was read, which one it was (`same_file`); none where bytes were not read.
    """

    folder: Path
    meta: dict[str, Any]
    build: str | None
    checksum: str
    files: Mapping[str, Entry]
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@contextmanager
def publish_folder(
    target: str | os.PathLike[str],
    *,
    kind: str,
    version: int,
    meta: Mapping[str, Any],
    overwrite: bool = False,
) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success write its manifest and rename it to `target`.

    `meta` is read at the end, so that a caller may fill it while writing. An existing `target` is replaced
    only with `overwrite`, and only after the new folder is complete on disk. What killed processes left behind while
    they published `target` is removed first; what living ones are writing is not.

    Raises:
        InputError: as `refuse_existing`.
    """
    # Where links lead to: what is exchanged is the folder itself.
    place = Path(target).resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(place)
    refuse_existing(target, overwrite)
    with scratch_folder(place, ".tmp") as scratch:
        yield scratch
        seal_folder(scratch, kind=kind, version=version, meta=meta)
        scratch.chmod(0o755)
        swap(scratch, place)


def refuse_existing(target: str | os.PathLike[str], overwrite: bool = False) -> None:
    """What `publish_folder` begins with, for those who work long before they have something to publish.

    Raises:
        InputError: `target` exists, and `overwrite` is false or nothing here has made it; or no folder can be made there.
    """
    place = Path(target)
    if not place.exists():
        above = next(folder for folder in place.absolute().parents if folder.exists())
        if not above.is_dir():
            raise InputError(f"{target}: {above} is no folder; choose another name.")
        if not os.access(above, os.W_OK | os.X_OK):
            raise InputError(
                f"{target}: nothing may be written in {above}; choose another name, or ask for the right to."
            )
        return
    if not overwrite:
        raise InputError(f"{target} exists already; choose another name, or pass --overwrite to replace it.")
    if not (place / MANIFEST).exists():
        refuse_foreign(place)


def refuse_foreign(folder: Path, is_ours: Callable[[Path], bool] = lambda path: False) -> None:
    """Refuse to replace a folder with anything in it that `is_ours` does not know: someone's own files.

    Raises:
        InputError: there is such a thing, or no folder at all.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder, and one is to be written there; choose another name.")
    foreign = next((path for path in sorted(folder.iterdir()) if not is_ours(path)), None)
    if foreign is not None:
        raise InputError(
            f"{folder} holds {foreign.name}, which was not written by this program, and --overwrite would remove it; "
            "choose another name, or empty the folder yourself."
        )


def seal_folder(
    folder: Path, *, kind: str, version: int, meta: Mapping[str, Any], kept: Mapping[str, Entry] | None = None
) -> None:
    """Stamp every file below `folder` that has room for it with the build of all that is there, and write the manifest.

    Folders below that have a manifest of their own keep their build, and so do the files in `kept`: these were
    published before, are not read again, and their entries name the build that they carry.
    """
    names, kept = _names(folder), kept or {}
    digest = xxhash.xxh3_128(json.dumps([kind, version, dict(meta)], sort_keys=True).encode())
    for name in names:
        held = held_digest(folder / name) if name not in kept else json.dumps(kept[name], sort_keys=True)
        digest.update(f"{name} {held}\n".encode())
    build = digest.hexdigest()
    for name in own_files(names):
        if name not in kept and carries_build(folder / name):
            stamp(folder / name, build)
    write_manifest(folder, kind=kind, version=version, meta=meta, build=build, kept=kept)


def write_manifest(
    folder: Path,
    *,
    kind: str,
    version: int,
    meta: Mapping[str, Any],
    build: str | None = None,
    kept: Mapping[str, Entry] | None = None,
) -> None:
    """Record size and XXH3-128 of every file below `folder`, flushing each to disk; the manifest comes last.

    `build` None takes what the folder's files carry; the entries of `kept` are taken over as they are.
    """
    names, kept = _names(folder), kept or {}
    files = {name: kept[name] if name in kept else _entry(folder / name) for name in names}
    if build is None:
        build = next((found for name in own_files(names) if (found := build_of(folder / name))), None)
    content = {"kind": kind, "version": version, "library": __version__, "meta": dict(meta), "files": files}
    if build is not None:
        content["build"] = build
    content["checksum"] = _content_digest(content)
    with atomic_writer(folder / MANIFEST) as file:
        file.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def check_folder(
    folder: str | os.PathLike[str], *, kind: str, version: int, verify: bool = True
) -> dict[str, Any]:
    """The `meta` of a folder that `checked_folder` passes; arguments and errors as there."""
    return checked_folder(folder, kind=kind, version=version, verify=verify).meta


def checked_folder(
    folder: str | os.PathLike[str], *, kind: str, version: int, verify: bool = True
) -> CheckedFolder:
    """Read a folder's manifest, and check every file against it.

    With `verify=False` names, sizes and builds are checked, and no other byte of a file is read.

    Raises:
        InputError: there is no such folder.
        ArtefactError: the manifest is missing, damaged, newer or of another kind; a file is missing, altered, of
            another build, or not listed.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; expected a {kind} folder that holds {MANIFEST}.")
    content, checksum = _read_manifest(place, kind, version)
    files, build = content["files"], content.get("build")
    _refuse_unlisted(place, files)
    seen = {name: _check_file(place / name, entry, kind, verify) for name, entry in files.items()}
    for name in own_files(files) if build else ():
        expected = files[name].get("build", build)
        if carries_build(place / name) and (build_of(place / name) or "") != expected:
            raise ArtefactError(
                f"{place / name}: belongs to another build than {MANIFEST} beside it; files of two builds do not mix. "
                "Restore the folder from a copy."
            )
    return CheckedFolder(place, content["meta"], build, checksum, files, seen if verify else {})


def same_file(path: Path) -> tuple[int, ...]:
    """Equal for two paths, or two times, where both are one file that nobody has written to in between."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _entry(path: Path) -> Entry:
    return {"bytes": path.stat().st_size, "xxh3_128": file_digest(path, sync=True)}


def folder_kind(folder: str | os.PathLike[str]) -> str | None:
    """What a folder's manifest says it holds, unchecked; None where there is no readable manifest."""
    try:
        kind = read_json(Path(folder) / MANIFEST)["kind"]
    except (ArtefactError, KeyError, TypeError):
        return None
    return str(kind)


def folder_build(folder: str | os.PathLike[str]) -> str | None:
    """The build of a folder that `check_folder` has passed; None where it was published without one."""
    build: str | None = read_json(Path(folder) / MANIFEST).get("build")
    return build


def _check_file(path: Path, entry: Entry, kind: str, verify: bool) -> tuple[int, ...]:
    """Refuse a file that is not as its entry says; which file it was."""
    if not is_regular(path):
        lacking = "missing" if not path.exists() else "not a regular file"
        raise ArtefactError(
            f"{path}: {lacking}; the manifest of this {kind} lists it. Restore it from a copy."
        )
    found = same_file(path)  # before its bytes are read: who writes to it meanwhile makes it another
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise ArtefactError(f"{path}: damaged: {size} bytes found, {entry['bytes']} expected.")
    if verify and file_digest(path) != entry["xxh3_128"]:
        raise ArtefactError(
            f"{path}: damaged: its checksum differs from the manifest's. Restore it from a copy."
        )
    return found


def _refuse_unlisted(place: Path, files: Mapping[str, Any]) -> None:
    """A file that nobody published may change what a library makes of those beside it; hidden ones are read by none."""
    for path in place.rglob("*"):
        name = path.relative_to(place)
        hidden = any(part.startswith(".") for part in name.parts)
        if not hidden and not path.is_dir() and name.as_posix() not in files and name.as_posix() != MANIFEST:
            raise ArtefactError(
                f"{path}: not listed in {MANIFEST} of {place}: it was not published with it. Move it elsewhere."
            )


def _names(folder: Path) -> list[str]:
    """Every file below a folder but its manifest, in order."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_regular(path))
    return sorted(name for name in found if name != MANIFEST)


def own_files(names: Iterable[str]) -> list[str]:
    """The files that are in no folder with a manifest of its own."""
    known = set(names)
    return [
        name
        for name in known
        if not any(str(parent / MANIFEST) in known for parent in list(PurePosixPath(name).parents)[:-1])
    ]


def _read_manifest(place: Path, kind: str, version: int) -> tuple[dict[str, Any], str]:
    """What a manifest says, and its checksum."""
    path = place / MANIFEST
    if not path.exists():
        raise ArtefactError(f"{place}: incomplete: it has no {MANIFEST}; expected a {kind} folder.")
    content = read_json(path)
    if not _is_manifest(content):
        raise ArtefactError(f"{path}: damaged: it is not a manifest of this library.")
    checksum = content.pop("checksum")
    if checksum != _content_digest(content):
        raise ArtefactError(f"{path}: damaged: its checksum does not match its content.")
    if content["kind"] != kind:
        raise ArtefactError(f"{place}: holds a {content['kind']}, expected a {kind}.")
    if content["version"] > version:
        raise ArtefactError(
            f"{place}: written by genret {content['library']} in format {content['version']}, this version reads up "
            f"to {version}; install a newer version of the library."
        )
    return dict(content), checksum


def _is_manifest(content: object) -> bool:
    """Whether JSON has what a manifest has, of the right types, and names files below its folder only."""
    if not isinstance(content, dict):
        return False
    texts = all(isinstance(content.get(name), str) for name in ("kind", "library", "checksum"))
    parts = all(isinstance(content.get(name), dict) for name in ("meta", "files"))
    build = isinstance(content.get("build", ""), str)
    return (
        texts
        and parts
        and build
        and type(content.get("version")) is int
        and all(map(_is_entry, content["files"].items()))
    )


def _is_entry(item: tuple[str, object]) -> bool:
    name, entry = item
    path = PurePosixPath(name)
    below = bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
    return (
        below
        and isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and isinstance(entry.get("xxh3_128"), str)
        and isinstance(entry.get("build", ""), str)
    )


def _content_digest(content: Mapping[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def swap(scratch: Path, place: Path) -> None:
    """Put `scratch` where `place` is: by one exchange, so that who looks there finds the old folder or the new one.

    Where the system cannot exchange, what stood there moves aside first and is removed last; a process that is killed
    in between leaves it aside, and `clear_left_over` puts it back.
    """
    if not place.exists():
        os.rename(scratch, place)
    elif not exchange(scratch, place):
        with scratch_folder(place, ".old") as old:
            os.rename(place, old / "old")
            os.rename(scratch, place)
    sync_folder(place.parent)


def clear_left_over(place: Path) -> None:
    """Put back what a killed process had moved aside and not replaced; remove what else it left behind."""
    clear_stale(place)
    for old in stale(place, ".old"):
        if (old / "old").exists() and not place.exists():
            os.rename(old / "old", place)
    clear_stale(place, ".old")
