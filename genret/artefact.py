"""Folders that can be trusted: written beside their place, manifest last, published by one rename.

Knows files and checksums; knows nothing of models or docids. What was published together has one build: a digest of
all its content, in the manifest and in every file that has room for it, so that files of two builds do not mix.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import xxhash

from fm_index.container import header_checksum, is_container, read_build, stamp_container
from fm_index.files import (
    atomic_writer,
    clear_stale,
    file_digest,
    foreign,
    is_regular,
    open_regular,
    read_json,
    scratch_folder,
    stale,
    strict_json,
)
from genret.errors import ArtefactError, InputError
from genret.version import __version__

__all__ = [
    "MANIFEST",
    "check_folder",
    "file_digest",
    "folder_build",
    "folder_kind",
    "publish_folder",
    "refuse_existing",
    "refuse_foreign",
    "seal_folder",
    "write_manifest",
]

MANIFEST = "genret.json"


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
    place = Path(target).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    _clear_left_over(place)
    refuse_existing(target, overwrite)
    with scratch_folder(place, ".tmp") as scratch:
        yield scratch
        seal_folder(scratch, kind=kind, version=version, meta=meta)
        scratch.chmod(0o755)
        _swap(scratch, place)


def refuse_existing(target: str | os.PathLike[str], overwrite: bool = False) -> None:
    """What `publish_folder` begins with, for those who work long before they have something to publish.

    Raises:
        InputError: `target` exists, and `overwrite` is false or nothing here has made it.
    """
    place = Path(target)
    if not place.exists():
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


def seal_folder(folder: Path, *, kind: str, version: int, meta: Mapping[str, Any]) -> None:
    """Stamp every file below `folder` that has room for it with the build of all that is there, and write the manifest.

    Folders below that have a manifest of their own keep their build.
    """
    names = _names(folder)
    digest = xxhash.xxh3_128(json.dumps([kind, version, dict(meta)], sort_keys=True).encode())
    for name in names:
        digest.update(f"{name} {_held_digest(folder / name)}\n".encode())
    build = digest.hexdigest()
    for name in _own(names):
        if _carries_build(folder / name):
            _stamp(folder / name, build)
    write_manifest(folder, kind=kind, version=version, meta=meta, build=build)


def write_manifest(
    folder: Path, *, kind: str, version: int, meta: Mapping[str, Any], build: str | None = None
) -> None:
    """Record size and XXH3-128 of every file below `folder`, flushing each to disk; the manifest comes last.

    `build` None takes what the folder's files carry.
    """
    names = _names(folder)
    files = {
        name: {"bytes": (folder / name).stat().st_size, "xxh3_128": file_digest(folder / name, sync=True)}
        for name in names
    }
    if build is None:
        build = next((found for name in _own(names) if (found := _build_of(folder / name))), None)
    content = {"kind": kind, "version": version, "library": __version__, "meta": dict(meta), "files": files}
    if build is not None:
        content["build"] = build
    content["checksum"] = _content_digest(content)
    with atomic_writer(folder / MANIFEST) as file:
        file.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def check_folder(
    folder: str | os.PathLike[str], *, kind: str, version: int, verify: bool = True
) -> dict[str, Any]:
    """Read a folder's manifest, check every file against it, and return its `meta`.

    With `verify=False` names, sizes and builds are checked, and no other byte of a file is read.

    Raises:
        InputError: there is no such folder.
        ArtefactError: the manifest is missing, damaged, newer or of another kind; a file is missing, altered, of
            another build, or not listed.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; expected a {kind} folder that holds {MANIFEST}.")
    content = _read_manifest(place, kind, version)
    _refuse_unlisted(place, content["files"])
    for name, entry in content["files"].items():
        _check_file(place / name, entry, kind, verify)
    for name in _own(content["files"]) if "build" in content else ():
        if _carries_build(place / name) and _build_of(place / name) != content["build"]:
            raise ArtefactError(
                f"{place / name}: belongs to another build than {MANIFEST} beside it; files of two builds do not mix. "
                "Restore the folder from a copy."
            )
    meta: dict[str, Any] = content["meta"]
    return meta


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


def _check_file(path: Path, entry: Mapping[str, Any], kind: str, verify: bool) -> None:
    if not is_regular(path):
        lacking = "missing" if not path.exists() else "not a regular file"
        raise ArtefactError(
            f"{path}: {lacking}; the manifest of this {kind} lists it. Restore it from a copy."
        )
    if path.stat().st_size != entry["bytes"]:
        raise ArtefactError(f"{path}: damaged: {path.stat().st_size} bytes found, {entry['bytes']} expected.")
    if verify and file_digest(path) != entry["xxh3_128"]:
        raise ArtefactError(
            f"{path}: damaged: its checksum differs from the manifest's. Restore it from a copy."
        )


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


def _own(names: Iterable[str]) -> list[str]:
    """The files that are in no folder with a manifest of its own."""
    known = set(names)
    return [
        name
        for name in known
        if not any(str(parent / MANIFEST) in known for parent in list(PurePosixPath(name).parents)[:-1])
    ]


def _read_manifest(place: Path, kind: str, version: int) -> dict[str, Any]:
    path = place / MANIFEST
    if not path.exists():
        raise ArtefactError(f"{place}: incomplete: it has no {MANIFEST}; expected a {kind} folder.")
    content = read_json(path)
    if not _is_manifest(content):
        raise ArtefactError(f"{path}: damaged: it is not a manifest of this library.")
    if content.pop("checksum") != _content_digest(content):
        raise ArtefactError(f"{path}: damaged: its checksum does not match its content.")
    if content["kind"] != kind:
        raise ArtefactError(f"{place}: holds a {content['kind']}, expected a {kind}.")
    if content["version"] > version:
        raise ArtefactError(
            f"{place}: written by genret {content['library']} in format {content['version']}, this version reads up "
            f"to {version}; install a newer version of the library."
        )
    return dict(content)


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
    )


def _content_digest(content: Mapping[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def _swap(scratch: Path, place: Path) -> None:
    """Rename `scratch` to `place`; what stood there moves aside first and is removed last."""
    if not place.exists():
        os.rename(scratch, place)
        return
    with scratch_folder(place, ".old") as old:
        os.rename(place, old / "old")
        os.rename(scratch, place)


def _clear_left_over(place: Path) -> None:
    """Put back what a killed process had moved aside and not replaced; remove what else it left behind."""
    clear_stale(place)
    for old in stale(place, ".old"):
        if (old / "old").exists() and not place.exists():
            os.rename(old / "old", place)
    clear_stale(place, ".old")


MAX_HEADER = 100_000_000  # safetensors' own limit
NAME = "genret_build"


def _carries_build(path: Path) -> bool:
    """Whether a file is of a kind that has room for a build."""
    return path.suffix == ".safetensors" or is_container(path)


def _build_of(path: Path) -> str | None:
    """The build that a file is stamped with; None for other files, and where it has none.

    Raises:
        ArtefactError: it is no regular file, or its header is damaged.
    """
    if path.suffix != ".safetensors":
        return read_build(path) if is_container(path) else None
    with open_regular(path) as file:
        metadata = _header(path, file).get("__metadata__", {})
    found = metadata.get(NAME) if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) and re.fullmatch("[0-9a-f]{32}", found) else None


def _held_digest(path: Path) -> str:
    """XXH3-128 of what a file holds; of a container its header, which has the checksums of all sections."""
    return header_checksum(path) if is_container(path) else file_digest(path)


def _stamp(path: Path, build: str) -> None:
    """Write `build` (32 hexadecimal digits) into the header of a file that `_carries_build` and nobody reads yet."""
    if path.suffix != ".safetensors":
        stamp_container(path, build)
        return
    with open_regular(path) as file:
        header = _header(path, file)
        header["__metadata__"] = {**header.get("__metadata__", {}), NAME: build}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with atomic_writer(path) as written:
            written.write(struct.pack("<Q", len(text)) + text)
            shutil.copyfileobj(file, written, 1 << 24)


def _header(path: str | os.PathLike[str], file: BinaryIO) -> dict[str, Any]:
    """The header of a safetensors file; the file is left behind it."""
    with foreign(path, "safetensors"):
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise ValueError("its header is too long")
        header = strict_json(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
    return header
