"""Vectors in .npy files: those written here close with a checksum, those of others are read without one.

Knows the bytes of a file; knows nothing of what the vectors are of.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.files import atomic_writer, foreign, open_regular
from genret.errors import ArtefactError, InputError

__all__ = ["read_vectors", "write_vectors"]

# Behind the array, where other readers do not look: this, and XXH3-128 of all before it.
MARK = b"GENRETVD"
TAIL = len(MARK) + 16
CHUNK = 1 << 24


def write_vectors(path: str | os.PathLike[str], vectors: npt.NDArray[Any]) -> None:
    """Write vectors [n, d] as a .npy file that closes with a checksum, whole or not at all."""
    with atomic_writer(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(vectors), allow_pickle=False)
        length = file.tell()
        digest = _digest(file, length)
        file.seek(length)
        file.write(MARK + digest)


def read_vectors(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The numbers of a .npy file, by memory map; the checksum is verified where there is one.

    Raises:
        InputError: there is no such file, or it is not a .npy file of numbers.
        ArtefactError: the checksum, or the file's length, is wrong; or a named pipe or a device is there.
    """
    if not os.path.lexists(path):
        raise InputError(f"{path}: cannot be read as a .npy file of vectors: there is no such file.")
    try:
        with open_regular(path) as file, foreign(path, "a .npy file of vectors"):
            vectors: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            size, length = (
                os.fstat(file.fileno()).st_size,
                (vectors.offset if isinstance(vectors, np.memmap) else 0) + vectors.nbytes,
            )
            more = _tail(file, length, size)
    except ArtefactError as error:
        raise InputError(str(error)) from error
    if vectors.dtype.kind not in "fiu":
        raise InputError(f"{path}: found {vectors.dtype}, expected numbers.")
    if more:
        raise ArtefactError(f"{path}: damaged: {more}. Restore it from a copy.")
    return vectors


def _tail(file: BinaryIO, length: int, size: int) -> str | None:
    """What is wrong with what stands behind an array that ends at `length`."""
    if size == length:
        return None
    file.seek(length)
    tail = file.read(TAIL + 1)
    if len(tail) != TAIL or not tail.startswith(MARK):
        return f"{size - length} bytes follow the array"
    return None if _digest(file, length) == tail[len(MARK) :] else "its checksum does not match"


def _digest(file: BinaryIO, length: int) -> bytes:
    """XXH3-128 of a file's first `length` bytes."""
    digest = xxhash.xxh3_128()
    file.seek(0)
    while length > 0 and (data := file.read(min(CHUNK, length))):
        digest.update(data)
        length -= len(data)
    return digest.digest()
