"""Which build a file belongs to, in the files that have room for it: containers and safetensors.

Knows the two formats' headers; what a build is, `genret.artefact` says.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fm_index.container import header_checksum, is_container, read_build, stamp_container
from fm_index.files import atomic_writer, file_digest, foreign, open_regular, strict_json

__all__ = ["build_of", "carries_build", "held_digest", "stamp"]

MAX_HEADER = 100_000_000  # safetensors' own limit
NAME = "genret_build"


def carries_build(path: Path) -> bool:
    """Whether a file is of a kind that has room for a build."""
    return path.suffix == ".safetensors" or is_container(path)


def build_of(path: Path) -> str | None:
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


def held_digest(path: Path) -> str:
    """XXH3-128 of what a file holds; of a container its header, which has the checksums of all sections."""
    return header_checksum(path) if is_container(path) else file_digest(path)


def stamp(path: Path, build: str) -> None:
    """Write `build` (32 hexadecimal digits) into the header of a file that `carries_build` and nobody reads yet."""
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


def _header(path: Path, file: BinaryIO) -> dict[str, Any]:
    """The header of a safetensors file; the file is left behind it."""
    with foreign(path, "safetensors"):
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER:
            raise ValueError("its header is too long")
        header = strict_json(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
    return header
