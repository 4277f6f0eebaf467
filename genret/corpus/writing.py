"""Text files as they are written: atomically, and compressed where the name says so, as they are read.

Knows names and bytes; knows nothing of what a line means.
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from fm_index.container import atomic_writer
from genret.errors import InputError

__all__ = ["check_suffix", "text_writer", "uncompressed_suffix"]

COMPRESSED = (".gz", ".zst")
# Suffixes that promise a content which nothing here writes.
PACKED = (
    ".7z",
    ".br",
    ".bz2",
    ".lz4",
    ".lzma",
    ".rar",
    ".tar",
    ".tbz2",
    ".tgz",
    ".txz",
    ".whl",
    ".xz",
    ".z",
    ".zip",
)
UNWRITABLE = frozenset((*PACKED, ".arrow", ".feather", ".parquet", ".pickle", ".pkl"))


@contextmanager
def text_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open `path` for the bytes of a text, atomically; `.gz` and `.zst` are compressed, equal texts to equal bytes.

    Raises:
        InputError: the suffix promises another content.
    """
    check_suffix(path)
    with atomic_writer(path) as file, ExitStack() as stack:
        suffix = Path(path).suffix.lower()
        if suffix == ".gz":
            # Neither a name nor a time, which would make equal texts unequal files.
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
            file = cast(BinaryIO, stack.enter_context(io.BufferedWriter(cast(io.RawIOBase, packed))))
        elif suffix == ".zst":
            compressor = zstandard.ZstdCompressor(write_checksum=True)
            file = stack.enter_context(compressor.stream_writer(file, closefd=False))
        yield file


def check_suffix(path: str | os.PathLike[str], *, text: bool = True) -> None:
    """Refuse a name whose suffix promises what would not be in the file.

    Args:
        text: whether the file goes through `text_writer`; what does not is never compressed.

    Raises:
        InputError: it is such a name.
    """
    suffix = Path(path).suffix.lower()
    if suffix in UNWRITABLE or (suffix in COMPRESSED and not text):
        able = "compressed files are written as .gz or .zst" if text else "this file is not compressed"
        raise InputError(f"{path}: nothing is written as {suffix}: {able}; choose another name.")


def uncompressed_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix that says what the text is: `.tsv` of `dev.tsv` and of `dev.tsv.gz`."""
    place = Path(path)
    return (place.with_suffix("") if place.suffix.lower() in COMPRESSED else place).suffix
