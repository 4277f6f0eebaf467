"""The checksum of a file's bytes."""

from __future__ import annotations

from pathlib import Path

import xxhash

__all__ = ["file_digest"]

CHUNK = 1 << 24


def file_digest(path: Path) -> str:
    """XXH3-128, hexadecimal."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
