"""Vectors of many texts, computed once: cached by content, resumed where a run was interrupted.

Knows texts, passages, an encoder and a folder; knows nothing of rankings. While vectors are computed they grow
in a `.partial` file, chunk by chunk, each chunk followed by its checksum; complete, they become one container.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.container import Section, read_container, write_container
from fm_index.files import open_for_update
from genret.corpus.types import Passage
from genret.errors import ArtefactError, InputError
from genret.jobs.cache_folder import default_cache
from genret.jobs.progress import ProgressReport, progress
from genret.vectors.npy_files import read_vectors

__all__ = ["Encoder", "embed_texts", "passage_vectors"]

KIND = "embeddings"
# 2: the key of what is embedded.
VERSION = 2
CHUNK_TEXTS = 1024
DIGEST_BYTES = 16

_log = logging.getLogger(__name__)

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

    A damaged cache is named in a warning and computed again.
    """
    if cache is None:
        with progress(len(texts), description, "texts") as report:
            return _embed(encoder, texts, max_length, report)
    folder = Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    name = _key(encoder, texts, max_length)
    target, partial = folder / f"{name}.vectors", folder / f"{name}.partial"
    found = _cached(target, name, len(texts), encoder.dimension)
    if found is None:
        with _locked(partial) as file:
            found = _cached(target, name, len(texts), encoder.dimension)
            if found is None:
                _grow(file, name, encoder, texts, max_length, description)
                _finish(partial, target, name, len(texts), encoder.dimension)
            partial.unlink(missing_ok=True)
    return found if found is not None else _read(target, name, len(texts), encoder.dimension)


def _cached(target: Path, name: str, count: int, dimension: int) -> HalfArray | None:
    """The cached vectors; None where there are none, or a damaged file, which is named in a warning."""
    if not target.exists():
        return None
    try:
        return _read(target, name, count, dimension)
    except ArtefactError as error:
        _log.warning("%s The vectors are computed again.", error)
        return None


def _read(target: Path, name: str, count: int, dimension: int) -> HalfArray:
    stored = read_container(target, kind=KIND, version=VERSION, verify="full")
    stored.check(target, {"vectors": Section("<f2", 2)})
    vectors: HalfArray = stored.arrays["vectors"]
    if vectors.shape != (count, dimension) or not np.isfinite(vectors).all():
        raise ArtefactError(
            f"{target}: damaged: it does not hold {count} vectors of {dimension} finite numbers."
        )
    if stored.version >= 2 and stored.meta.get("key") != name:
        raise ArtefactError(f"{target}: belongs elsewhere: it holds the vectors of other texts.")
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
    with open_for_update(partial, append=True) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _chunk_sizes(count: int) -> list[int]:
    return [min(CHUNK_TEXTS, count - begin) for begin in range(0, count, CHUNK_TEXTS)]


def _grow(
    file: BinaryIO, name: str, encoder: Encoder, texts: Sequence[str], max_length: int, description: str
) -> None:
    """Append the chunks that are missing, after those that are there and whole."""
    sizes = _chunk_sizes(len(texts))
    done = _whole_chunks(file, name, sizes, encoder.dimension)
    with progress(len(texts), description, "texts") as report:
        report.advance(sum(sizes[:done]))
        for chunk in range(done, len(sizes)):
            begin = chunk * CHUNK_TEXTS
            data = _embed(encoder, texts[begin : begin + sizes[chunk]], max_length, report).tobytes()
            file.write(data + _chunk_digest(name, chunk, data))
            file.flush()


def _whole_chunks(file: BinaryIO, name: str, sizes: list[int], dimension: int) -> int:
    """How many chunks are whole; what follows them is cut off."""
    file.seek(0)
    for done, size in enumerate(sizes):
        position, length = file.tell(), size * dimension * 2
        data = file.read(length + DIGEST_BYTES)
        if len(data) < length + DIGEST_BYTES or _chunk_digest(name, done, data[:length]) != data[length:]:
            file.truncate(position)
            file.seek(position)
            return done
    return len(sizes)


def _chunk_digest(name: str, chunk: int, data: bytes) -> bytes:
    """Of a chunk in its place: one of other texts, or of another place, is not taken for it."""
    return xxhash.xxh3_128_digest(f"{name} {chunk} ".encode() + data)


def _finish(partial: Path, target: Path, name: str, count: int, dimension: int) -> None:
    """Copy the chunks into one container, without the checksums between them."""
    vectors = np.empty((count, dimension), np.float16)
    with partial.open("rb") as file:
        begin = 0
        for size in _chunk_sizes(count):
            data = file.read(size * dimension * 2)
            vectors[begin : begin + size] = np.frombuffer(data, np.float16).reshape(size, dimension)
            file.seek(DIGEST_BYTES, os.SEEK_CUR)
            begin += size
    write_container(
        target, kind=KIND, version=VERSION, meta={"rows": count, "key": name}, arrays={"vectors": vectors}
    )


def _embed(encoder: Encoder, texts: Sequence[str], max_length: int, report: ProgressReport) -> HalfArray:
    return encoder.embed(texts, max_length, report=report).astype(np.float16)


def passage_vectors(
    given: str | os.PathLike[str] | None, passages: Sequence[Passage], encoder: Encoder
) -> npt.NDArray[Any]:
    """Unit vectors of all passages, float16 or float32 [N, d]: those in the file `given`, or computed and cached.

    Raises:
        InputError: the given file is not a matrix with a row for each passage.
    """
    if given is None:
        texts = [passage.full_text for passage in passages]
        return embed_texts(encoder, texts, cache=default_cache(), description="encoding passages")
    vectors = read_vectors(given)
    expected = (len(passages), encoder.dimension)
    if vectors.shape != expected:
        raise InputError(f"{given}: found shape {vectors.shape}, expected {expected}, a row a passage.")
    return vectors
