"""One file format for every array artefact: named sections behind a checksummed header.

Knows bytes and numpy arrays; knows nothing of what they mean. `docid` and `fm_index` both store through
this module, and it is the only one that they share.

Layout (little-endian, every section at a multiple of 64 bytes, gaps zero)::

    magic "GENRETCF" | format u32 | header length u32 | header (JSON) | XXH3-128 of all before (16 bytes)
    section 0 ... section n-1
    end marker "GENRETND" | length of the whole file u64

The header names the kind of artefact, its version, its metadata, the build that it belongs to and, for each section,
name, dtype, shape, offset and XXH3-128. The build is all zeros until `stamp_container` writes it, when everything that belongs
together is there. The same input gives the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.files import ArtefactError, atomic_writer, foreign, open_regular, strict_json

__all__ = [
    "ArtefactError",
    "Container",
    "Section",
    "atomic_writer",
    "foreign",
    "header_checksum",
    "is_container",
    "read_build",
    "read_container",
    "stamp_container",
    "write_container",
]

MAGIC = b"GENRETCF"
END_MAGIC = b"GENRETND"
# 2: the build.
FORMAT = 2
NO_BUILD = "0" * 32
DTYPES = frozenset(["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"])
ALIGNMENT = 64
CHUNK = 1 << 24
MAX_HEADER = 1 << 26
MAX_DIMENSIONS = 8
_PREFIX = struct.Struct("<8sII")
_END = struct.Struct("<8sQ")
_DIGEST_BYTES = 16

Verify = Literal["header", "full"]
AnyArray = npt.NDArray[Any]


class Section(NamedTuple):
    """What a section must be: one of some dtypes (numpy's short names, such as `<i4 <i8`), and its dimensions."""

    dtypes: str
    ndim: int = 1


@dataclass(frozen=True)
class Container:
    """What `read_container` returns: the header's content and the sections as read-only arrays.

    `build` is the fingerprint of what the file was published with; None where it stands alone, or is of format 1.
    """

    kind: str
    version: int
    meta: dict[str, Any]
    arrays: dict[str, AnyArray]
    build: str | None = None

    def check(
        self,
        path: str | os.PathLike[str],
        sections: Mapping[str, Section],
        meta: Mapping[str, type] | None = None,
    ) -> None:
        """Refuse a file whose sections, or values of `meta`, are not those that its kind has, no more and no fewer.

        Raises:
            ArtefactError: one is missing, too many, or of another type or shape; the message names it.
        """
        for name, expected in sections.items():
            found = self.arrays.get(name)
            if found is None:
                raise ArtefactError(f"{path}: damaged: its section {name!r} is missing.")
            if found.ndim != expected.ndim or found.dtype.str not in expected.dtypes.split():
                raise ArtefactError(
                    f"{path}: damaged: its section {name!r} is {found.dtype} of {found.ndim} dimensions, expected "
                    f"{expected.dtypes.replace(' ', ' or ')} of {expected.ndim}."
                )
        if more := sorted(self.arrays.keys() - sections.keys()):
            raise ArtefactError(f"{path}: damaged: it has a section {more[0]!r} that a {self.kind} has not.")
        for name, kind in (meta or {}).items():
            # True is an int to Python.
            if type(self.meta.get(name)) is not kind:
                raise ArtefactError(
                    f"{path}: damaged: its {name} is {self.meta.get(name)!r:.80}, expected {kind.__name__}."
                )


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
            # Aligned, so that mapped arrays can be read in place by any dtype.
            file.write(b"\0" * (offsets[name] - file.tell()))
            for chunk in _chunks(array):
                file.write(chunk)
        # Last: a file that was cut anywhere lacks it, which is seen without reading the payload.
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
    raw = _raw(source, kind, mmap)
    header, start = _read_header(source, raw, kind)
    if header["version"] > version:
        raise ArtefactError(
            f"{source}: its {kind} format is version {header['version']}, this library reads up to {version}; "
            "install a newer version of the library."
        )
    arrays = _sections(source, raw, header["sections"], start)
    if verify == "full":
        _verify_payload(source, raw, header["sections"], start)
    build = header.get("build", NO_BUILD)
    return Container(
        header["kind"], header["version"], header["meta"], arrays, None if build == NO_BUILD else build
    )


def is_container(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file begins as a container does."""
    with open_regular(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def read_build(path: str | os.PathLike[str]) -> str | None:
    """The build that a container file is stamped with; None where it has none.

    Raises:
        ArtefactError: it is no regular file, or its header is damaged.
    """
    build: str = _header_of(Path(path)).get("build", NO_BUILD)
    return None if build == NO_BUILD else build


def header_checksum(path: str | os.PathLike[str]) -> str:
    """XXH3-128 of a header's content, the checksums of all sections in it; hexadecimal."""
    return xxhash.xxh3_128_hexdigest(_header_text(_header_of(Path(path))))


def stamp_container(path: Path, build: str) -> None:
    """Write `build` (32 hexadecimal digits) into the header of a container file that nobody reads yet."""
    header = _header_of(path)
    if "build" not in header:
        raise ArtefactError(f"{path}: written by an older version of this library; it must be written anew.")
    with path.open("r+b") as file:
        file.write(_sealed(_header_text({**header, "build": build})))


def _header_of(path: Path) -> dict[str, Any]:
    return _read_header(path, _raw(path, "container", mmap=True), None)[0]


def _raw(source: Path, kind: str, mmap: bool) -> AnyArray:
    """The bytes of a file."""
    try:
        with open_regular(source) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ValueError("it is empty")
            return np.memmap(file, np.uint8, mode="r") if mmap else np.fromfile(file, np.uint8)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtefactError(f"{source}: cannot be read as a {kind} file: {reason}.") from error


def _storable(name: str, array: AnyArray) -> AnyArray:
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"section {name!r}: dtype {array.dtype} cannot be stored; use bool, integers or floats."
        )
    # Little-endian whatever wrote it: files go from machine to machine.
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
    content = {"build": NO_BUILD, "kind": kind, "version": version, "meta": dict(meta), "sections": sections}
    header = _sealed(_header_text(content))
    start = _aligned(len(header))
    return header, {str(section["name"]): start + int(str(section["offset"])) for section in sections}


def _header_text(content: Mapping[str, Any]) -> bytes:
    # Sorted and in ASCII, so that equal contents give equal bytes, and equal checksums.
    return json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def _sealed(text: bytes) -> bytes:
    """The header with what stands before it, and the checksum of both."""
    prefix = _PREFIX.pack(MAGIC, FORMAT, len(text)) + text
    return prefix + xxhash.xxh3_128_digest(prefix)


def _read_header(source: Path, raw: AnyArray, kind: str | None) -> tuple[dict[str, Any], int]:
    """The parsed header and the offset at which the sections start; any kind where `kind` is None."""
    wanted = kind or "container"
    if raw.size < _PREFIX.size:
        raise ArtefactError(f"{source}: truncated: {raw.size} bytes are too few for a {wanted} file.")
    magic, file_format, length = _PREFIX.unpack(raw[: _PREFIX.size].tobytes())
    if magic != MAGIC:
        raise ArtefactError(f"{source}: not a {wanted} file: it starts with {magic!r}, expected {MAGIC!r}.")
    if file_format > FORMAT:
        raise ArtefactError(
            f"{source}: container format {file_format} is newer than this library's {FORMAT}; "
            "install a newer version of the library."
        )
    end = _PREFIX.size + length
    if length > MAX_HEADER or end + _DIGEST_BYTES + _END.size > raw.size:
        raise ArtefactError(f"{source}: truncated or altered: its header does not fit into {raw.size} bytes.")
    prefix = raw[:end].tobytes()
    if xxhash.xxh3_128_digest(prefix) != raw[end : end + _DIGEST_BYTES].tobytes() or file_format < 1:
        raise ArtefactError(f"{source}: altered: the header's checksum does not match.")
    _check_end(source, raw)
    header = _parse_header(source, prefix[_PREFIX.size :], file_format)
    if kind is not None and header["kind"] != kind:
        raise ArtefactError(f"{source}: holds a {header['kind']}, expected a {kind}.")
    return header, _aligned(end + _DIGEST_BYTES)


def _parse_header(source: Path, text: bytes, file_format: int) -> dict[str, Any]:
    """The header's content, with the types and sizes that this library writes.

    A checksum can be right on a header that another program wrote.
    """
    try:
        header: dict[str, Any] = strict_json(text)
        sound = type(header["version"]) is int and isinstance(header["meta"], dict)
        sound = sound and isinstance(header["kind"], str) and header["version"] >= 0
        sound = sound and (file_format == 1 or bool(re.fullmatch("[0-9a-f]{32}", header["build"])))
        sound = sound and _are_sections(header["sections"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ArtefactError(f"{source}: altered: its header cannot be understood ({error}).") from error
    if not sound:
        raise ArtefactError(f"{source}: altered: its header holds values that this library does not write.")
    return header


def _are_sections(sections: list[dict[str, Any]]) -> bool:
    """Whether sections have what they need, follow one another without overlap, and differ in name."""
    position = 0
    for section in sections:
        numbers = [section["offset"], *section["shape"]]
        if not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
            return False
        if section["dtype"] not in DTYPES or not isinstance(section["name"], str):
            return False
        if section["offset"] != position or len(section["shape"]) > MAX_DIMENSIONS:
            return False
        position = _aligned(position + _section_bytes(section))
    return len({section["name"] for section in sections}) == len(sections)


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
        with foreign(source, "arrays"):  # numpy refuses shapes beyond its own limits
            array = raw[begin : begin + size].view(np.dtype(section["dtype"])).reshape(section["shape"])
        # Also where the bytes were read into memory: one array may serve several objects.
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
        # numpy takes any byte for true, and what counts true values would then count wrong.
        if section["dtype"] == "|b1" and size and int(raw[begin : begin + size].max()) > 1:
            raise ArtefactError(
                f"{source}: altered: section {section['name']!r} holds neither true nor false."
            )
        # Gaps have no checksum of their own, and nothing may hide in them.
        if raw[position:begin].any():
            raise ArtefactError(f"{source}: altered: the gap before section {section['name']!r} is not zero.")
        position = begin + size
    if position != raw.size - _END.size:
        raise ArtefactError(
            f"{source}: altered: {raw.size - _END.size - position} bytes follow the last section."
        )
