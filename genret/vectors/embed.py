"""Vectors of many texts, computed once: cached by content, resumed where a run was interrupted.

Knows texts, an encoder and a folder; knows nothing of passages or rankings. While vectors are computed they grow
in a `.partial` file, chunk by chunk, each chunk followed by its checksum; complete, they become one container.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.container import atomic_writer, read_container, write_container
from genret.errors import InputError
from genret.jobs.progress import ProgressReport, progress

__all__ = ["Encoder", "embed_texts", "read_vectors", "write_vectors"]

KIND = "embeddings"
VERSION = 1
CHUNK_TEXTS = 1024
DIGEST_BYTES = 16

HalfArray = npt.NDArray[np.float16]


class Encoder(Protocol):
    """What is needed of `genret.models.frozen.sentence_encoder.SentenceEncoder`."""

    dimension: int
    fingerprint: str

    def embed(
        self, texts: Sequence[str], max_length: int = ..., *, report: Any = None
    ) -> npt.NDArray[np.float32]: ...


def embed_texts(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    max_length: int = 256,
    cache: str | os.PathLike[str] | None = None,
    description: str = "embedding",
) -> HalfArray:
    """Unit vectors of `texts`, float16 [n, d]; memory-mapped, and computed only once, where `cache` is a folder.

    The cache's key covers the encoder, `max_length` and every text, so that nothing stale is ever returned. Of two
    processes that want the same vectors one computes them and the other waits.

    Raises:
        ArtefactError: a cached file is damaged; the message names it, and deleting it is safe.
    """
    if cache is None:
        with progress(len(texts), description, "texts") as report:
            return _embed(encoder, texts, max_length, report)
    folder = Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    name = _key(encoder, texts, max_length)
    target, partial = folder / f"{name}.vectors", folder / f"{name}.partial"
    if not target.exists():
        with _locked(partial) as file:
            if not target.exists():
                _grow(file, encoder, texts, max_length, description)
                _finish(partial, target, len(texts), encoder.dimension)
            partial.unlink(missing_ok=True)
    return read_container(target, kind=KIND, version=VERSION, verify="full").arrays["vectors"]


def write_vectors(path: str | os.PathLike[str], vectors: npt.NDArray[Any]) -> None:
    """Write vectors [n, d] as a .npy file, whole or not at all."""
    with atomic_writer(path) as file:
        np.lib.format.write_array(file, vectors, allow_pickle=False)


def read_vectors(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The array of a .npy file, by memory map.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise InputError(f"{path}: expected a .npy file of vectors, found a folder or a device.")
    try:
        vectors: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        # numpy evaluates the header as a Python literal, and raises whatever that does.
        raise InputError(f"{path}: cannot be read as a .npy file of vectors: {error}.") from error
    if not isinstance(vectors, np.ndarray):  # a .npz archive
        raise InputError(f"{path}: expected a .npy file of vectors, found an archive of several.")
    return vectors


def _key(encoder: Encoder, texts: Sequence[str], max_length: int) -> str:
    digest = xxhash.xxh3_128(f"plain text {encoder.fingerprint} {max_length} {len(texts)}".encode())
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@contextmanager
def _locked(partial: Path) -> Iterator[BinaryIO]:
    """The partial file, open for reading and appending, held by this process alone."""
    with partial.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _chunk_sizes(count: int) -> list[int]:
    return [min(CHUNK_TEXTS, count - begin) for begin in range(0, count, CHUNK_TEXTS)]


def _grow(file: BinaryIO, encoder: Encoder, texts: Sequence[str], max_length: int, description: str) -> None:
    """Append the chunks that are missing, after those that are there and whole."""
    sizes = _chunk_sizes(len(texts))
    done = _whole_chunks(file, sizes, encoder.dimension)
    with progress(len(texts), description, "texts") as report:
        report.advance(sum(sizes[:done]))
        for chunk in range(done, len(sizes)):
            begin = chunk * CHUNK_TEXTS
            data = _embed(encoder, texts[begin : begin + sizes[chunk]], max_length, report).tobytes()
            file.write(data + xxhash.xxh3_128_digest(data))
            file.flush()


def _whole_chunks(file: BinaryIO, sizes: list[int], dimension: int) -> int:
    """How many chunks are whole; what follows them is cut off."""
    file.seek(0)
    for done, size in enumerate(sizes):
        position, length = file.tell(), size * dimension * 2
        data = file.read(length + DIGEST_BYTES)
        if len(data) < length + DIGEST_BYTES or xxhash.xxh3_128_digest(data[:length]) != data[length:]:
            file.truncate(position)
            file.seek(position)
            return done
    return len(sizes)


def _finish(partial: Path, target: Path, count: int, dimension: int) -> None:
    """Copy the chunks into one container, without the checksums between them."""
    vectors = np.empty((count, dimension), np.float16)
    with partial.open("rb") as file:
        begin = 0
        for size in _chunk_sizes(count):
            data = file.read(size * dimension * 2)
            vectors[begin : begin + size] = np.frombuffer(data, np.float16).reshape(size, dimension)
            file.seek(DIGEST_BYTES, os.SEEK_CUR)
            begin += size
    write_container(target, kind=KIND, version=VERSION, meta={"rows": count}, arrays={"vectors": vectors})


def _embed(encoder: Encoder, texts: Sequence[str], max_length: int, report: ProgressReport) -> HalfArray:
    return encoder.embed(texts, max_length, report=report).astype(np.float16)
