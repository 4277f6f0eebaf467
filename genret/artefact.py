"""Folders that can be trusted: written beside their place, manifest last, published by one rename.

Knows files and checksums; knows nothing of models or docids.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from fm_index.container import atomic_writer
from genret.errors import ArtefactError, InputError
from genret.version import __version__

__all__ = [
    "MANIFEST",
    "check_folder",
    "file_digest",
    "folder_kind",
    "publish_folder",
    "refuse_existing",
    "write_manifest",
]

MANIFEST = "genret.json"
CHUNK = 1 << 24


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
    only with `overwrite`, and only after the new folder is complete on disk.

    Raises:
        InputError: `target` exists and `overwrite` is false.
    """
    refuse_existing(target, overwrite)
    place = Path(target).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent))
    try:
        yield scratch
        write_manifest(scratch, kind=kind, version=version, meta=meta)
        scratch.chmod(0o755)
        _swap(scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def refuse_existing(target: str | os.PathLike[str], overwrite: bool = False) -> None:
    """What `publish_folder` begins with, for those who work long before they have something to publish.

    Raises:
        InputError: `target` exists and `overwrite` is false.
    """
    if Path(target).exists() and not overwrite:
        raise InputError(f"{target} exists already; choose another name, or pass --overwrite to replace it.")


def write_manifest(folder: Path, *, kind: str, version: int, meta: Mapping[str, Any]) -> None:
    """Record size and XXH3-128 of every file below `folder`, flushing each to disk; the manifest comes last."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name != MANIFEST:
            files[name] = {"bytes": path.stat().st_size, "xxh3_128": file_digest(path, sync=True)}
    content = {"kind": kind, "version": version, "library": __version__, "meta": dict(meta), "files": files}
    content["checksum"] = _content_digest(content)
    with atomic_writer(folder / MANIFEST) as file:
        file.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def check_folder(
    folder: str | os.PathLike[str], *, kind: str, version: int, verify: bool = True
) -> dict[str, Any]:
    """Read a folder's manifest, check every file against it, and return its `meta`.

    With `verify=False` only names and sizes are checked.

    Raises:
        InputError: there is no such folder.
        ArtefactError: the manifest is missing, damaged, newer or of another kind, or a file is missing or
            altered.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{folder}: no such folder; expected a {kind} folder that holds {MANIFEST}.")
    content = _read_manifest(place, kind, version)
    for name, entry in content["files"].items():
        path = place / name
        if not path.is_file():
            raise ArtefactError(
                f"{path}: missing; the manifest of this {kind} lists it. Restore it from a copy."
            )
        if path.stat().st_size != entry["bytes"]:
            raise ArtefactError(
                f"{path}: damaged: {path.stat().st_size} bytes found, {entry['bytes']} expected."
            )
        if verify and file_digest(path) != entry["xxh3_128"]:
            raise ArtefactError(
                f"{path}: damaged: its checksum differs from the manifest's. Restore it from a copy."
            )
    meta: dict[str, Any] = content["meta"]
    return meta


def folder_kind(folder: str | os.PathLike[str]) -> str | None:
    """What a folder's manifest says it holds, unchecked; None where there is no readable manifest."""
    try:
        kind = json.loads((Path(folder) / MANIFEST).read_bytes())["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(kind)


def file_digest(path: Path, *, sync: bool = False) -> str:
    """XXH3-128 of a file's bytes, hexadecimal; with `sync` the file is flushed to disk as well."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        if sync:
            os.fsync(file.fileno())
    return digest.hexdigest()


def _read_manifest(place: Path, kind: str, version: int) -> dict[str, Any]:
    path = place / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{place}: incomplete: it has no {MANIFEST}; expected a {kind} folder.")
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        checksum = content.pop("checksum")
        found = (content["kind"], int(content["version"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path}: damaged: it is not a manifest of this library ({error}).") from error
    if checksum != _content_digest(content):
        raise ArtefactError(f"{path}: damaged: its checksum does not match its content.")
    if found[0] != kind:
        raise ArtefactError(f"{place}: holds a {found[0]}, expected a {kind}.")
    if found[1] > version:
        raise ArtefactError(
            f"{place}: written by genret {content['library']} in format {found[1]}, this version reads up to "
            f"{version}; install a newer version of the library."
        )
    return content


def _content_digest(content: Mapping[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(content, sort_keys=True).encode())


def _swap(scratch: Path, place: Path) -> None:
    """Rename `scratch` to `place`; what stood there moves aside first and is removed last."""
    if not place.exists():
        os.rename(scratch, place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".old", dir=place.parent))
    os.rename(place, old / "old")
    os.rename(scratch, place)
    if (place / MANIFEST).is_file():
        shutil.rmtree(old)
