"""One file format for every array artefact: named sections behind a checksummed header.

Knows bytes and numpy arrays; knows nothing of what they mean. `docid` and `fm_index` both store through
this module, and it is the only one that they share.

Layout (little-endian, every section at a multiple of 64 bytes, gaps zero)::

    magic "GENRETCF" | format u32 | header length u32 | header (JSON) | XXH3-128 of all before (16 bytes)
    section 0 ... section n-1
    end marker "GENRETND" | length of the whole file u64

The header names the kind of artefact, its version, its metadata and, for each section, name, dtype, shape,
offset and XXH3-128. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import xxhash

__all__ = ["ArtefactError", "Container", "atomic_writer", "read_container", "write_container"]

MAGIC = b"GENRETCF"
END_MAGIC = b"GENRETND"
FORMAT = 1
ALIGNMENT = 64
CHUNK = 1 << 24
MAX_HEADER = 1 << 26
_PREFIX = struct.Struct("<8sII")
_END = struct.Struct("<8sQ")
_DIGEST_BYTES = 16

Verify = Literal["header", "full"]
AnyArray = npt.NDArray[Any]


class ArtefactError(Exception):
    """A stored artefact is damaged, foreign, or newer than this library; the message says which."""

    exit_code = 4


@dataclass(frozen=True)
class Container:
    """What `read_container` returns: the header's content and the sections as read-only arrays."""

    kind: str
    version: int
    meta: dict[str, Any]
    arrays: dict[str, AnyArray]


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success flush it to disk and rename it to `path`.

    Until the rename whatever was at `path` is untouched; on any exception the temporary file is removed.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
        _sync_folder(target.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_container(
    path: str | os.PathLike[str],
    *,
    kind: str,
    version: int,
    meta: Mapping[str, Any],
    arrays: Mapping[str, AnyArray],
) -> None:
    """Write `arrays` (bool, integer or float dtypes, any shape) and JSON-able `meta` to `path`, atomically.

    Raises:
        TypeError: an array's dtype cannot be stored, or `meta` is not JSON.
    """
    stored = {name: _storable(name, array) for name, array in arrays.items()}
    header, offsets = _layout(kind, version, meta, stored)
    with atomic_writer(path) as file:
        file.write(header)
        for name, array in stored.items():
            file.write(b"\0" * (offsets[name] - file.tell()))
            for chunk in _chunks(array):
                file.write(chunk)
        file.write(_END.pack(END_MAGIC, file.tell() + _END.size))


def read_container(
    path: str | os.PathLike[str],
    *,
    kind: str,
    version: int,
    mmap: bool = True,
    verify: Verify = "header",
) -> Container:
    """Read a container of this `kind`, of `version` or older.

    `verify="header"` checks the header's checksum and that every section lies inside the file: its cost does
    not depend on the file's size. `verify="full"` also checks every byte of the payload.

    Raises:
        ArtefactError: the file is missing, truncated, altered, of another kind, or newer; the message says
            which.
    """
    source = Path(path)
    try:
        raw: AnyArray = np.memmap(source, dtype=np.uint8, mode="r") if mmap else np.fromfile(source, np.uint8)
    except (OSError, ValueError) as error:
        reason = "it is empty" if source.is_file() and source.stat().st_size == 0 else str(error)
        raise ArtefactError(f"{source}: cannot be read as a {kind} file: {reason}.") from error
    header, start = _read_header(source, raw, kind)
    if header["version"] > version:
        raise ArtefactError(
            f"{source}: its {kind} format is version {header['version']}, this library reads up to {version}; "
            "install a newer version of the library."
        )
    arrays = _sections(source, raw, header["sections"], start)
    if verify == "full":
        _verify_payload(source, raw, header["sections"], start)
    return Container(header["kind"], header["version"], header["meta"], arrays)


def _storable(name: str, array: AnyArray) -> AnyArray:
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"section {name!r}: dtype {array.dtype} cannot be stored; use bool, integers or floats."
        )
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _chunks(array: AnyArray) -> Iterator[memoryview]:
    flat = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
    for begin in range(0, len(flat), CHUNK):
        yield flat[begin : begin + CHUNK]


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _layout(
    kind: str, version: int, meta: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> tuple[bytes, dict[str, int]]:
    """The header's bytes and each section's offset in the file; offsets in the header count from its end."""
    sections, position = [], 0
    for name, array in arrays.items():
        digest = xxhash.xxh3_128()
        for chunk in _chunks(array):
            digest.update(chunk)
        sections.append(
            {
                "name": name,
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "offset": position,
                "xxh3_128": digest.hexdigest(),
            }
        )
        position = _aligned(position + array.nbytes)
    content = {"kind": kind, "version": version, "meta": dict(meta), "sections": sections}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")
    prefix = _PREFIX.pack(MAGIC, FORMAT, len(text)) + text
    header = prefix + xxhash.xxh3_128_digest(prefix)
    start = _aligned(len(header))
    return header, {str(section["name"]): start + int(str(section["offset"])) for section in sections}


def _read_header(source: Path, raw: AnyArray, kind: str) -> tuple[dict[str, Any], int]:
    """The parsed header and the offset at which the sections start."""
    if raw.size < _PREFIX.size:
        raise ArtefactError(f"{source}: truncated: {raw.size} bytes are too few for a {kind} file.")
    magic, file_format, length = _PREFIX.unpack(raw[: _PREFIX.size].tobytes())
    if magic != MAGIC:
        raise ArtefactError(f"{source}: not a {kind} file: it starts with {magic!r}, expected {MAGIC!r}.")
    if file_format > FORMAT:
        raise ArtefactError(
            f"{source}: container format {file_format} is newer than this library's {FORMAT}; "
            "install a newer version of the library."
        )
    end = _PREFIX.size + length
    if length > MAX_HEADER or end + _DIGEST_BYTES + _END.size > raw.size:
        raise ArtefactError(f"{source}: truncated or altered: its header does not fit into {raw.size} bytes.")
    prefix = raw[:end].tobytes()
    if xxhash.xxh3_128_digest(prefix) != raw[end : end + _DIGEST_BYTES].tobytes() or file_format != FORMAT:
        raise ArtefactError(f"{source}: altered: the header's checksum does not match.")
    _check_end(source, raw)
    header = _parse_header(source, prefix[_PREFIX.size :])
    if header["kind"] != kind:
        raise ArtefactError(f"{source}: holds a {header['kind']}, expected a {kind}.")
    return header, _aligned(end + _DIGEST_BYTES)


def _parse_header(source: Path, text: bytes) -> dict[str, Any]:
    """The header's content, with the types and sizes that this library writes.

    A checksum can be right on a header that another program wrote.
    """
    try:
        header: dict[str, Any] = json.loads(text)
        sound = isinstance(header["version"], int) and isinstance(header["meta"], dict)
        sound = sound and all(_is_section(section) for section in header["sections"])
        sound = sound and isinstance(header["kind"], str)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ArtefactError(f"{source}: altered: its header cannot be understood ({error}).") from error
    if not sound:
        raise ArtefactError(f"{source}: altered: its header holds values that this library does not write.")
    return header


def _is_section(section: Mapping[str, Any]) -> bool:
    numbers = [section["offset"], *section["shape"]]
    return (
        all(isinstance(number, int) and 0 <= number < 1 << 62 for number in numbers)
        and np.dtype(section["dtype"]).kind in "biuf"
        and isinstance(section["name"], str)
    )


def _check_end(source: Path, raw: AnyArray) -> None:
    magic, length = _END.unpack(raw[-_END.size :].tobytes())
    if magic != END_MAGIC or length != raw.size:
        raise ArtefactError(
            f"{source}: truncated or altered: {raw.size} bytes found, and they do not close with the end marker."
        )


def _section_bytes(section: Mapping[str, Any]) -> int:
    count = 1
    for extent in section["shape"]:
        count *= int(extent)
    return count * int(np.dtype(section["dtype"]).itemsize)


def _sections(source: Path, raw: AnyArray, sections: list[dict[str, Any]], start: int) -> dict[str, AnyArray]:
    arrays = {}
    for section in sections:
        begin, size = start + section["offset"], _section_bytes(section)
        if begin + size > raw.size - _END.size:
            raise ArtefactError(f"{source}: truncated: section {section['name']!r} ends outside the file.")
        array = raw[begin : begin + size].view(np.dtype(section["dtype"])).reshape(section["shape"])
        array.flags.writeable = False
        arrays[section["name"]] = array
    return arrays


def _verify_payload(source: Path, raw: AnyArray, sections: list[dict[str, Any]], start: int) -> None:
    position = _PREFIX.size + int(raw[12:16].view("<u4")[0]) + _DIGEST_BYTES
    for section in sections:
        begin, size = start + section["offset"], _section_bytes(section)
        digest = xxhash.xxh3_128()
        for chunk in range(begin, begin + size, CHUNK):
            digest.update(np.ascontiguousarray(raw[chunk : min(chunk + CHUNK, begin + size)]).data)
        if digest.hexdigest() != section["xxh3_128"]:
            raise ArtefactError(
                f"{source}: altered: the checksum of section {section['name']!r} does not match."
            )
        if raw[position:begin].any():
            raise ArtefactError(f"{source}: altered: the gap before section {section['name']!r} is not zero.")
        position = begin + size
    if position != raw.size - _END.size:
        raise ArtefactError(
            f"{source}: altered: {raw.size - _END.size - position} bytes follow the last section."
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
