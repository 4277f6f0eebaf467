"""Vectors of many texts, computed once: cached by content, resumed where a run was interrupted.

Knows texts, passages, an encoder and a folder; knows nothing of rankings. Vectors are computed in the parts of a job
(`genret.jobs.resumable`), each a file of its own; complete, they become one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.container import Section, read_container, write_container
from fm_index.files import open_for_update
from genret.corpus.types import Passage
from genret.errors import ArtefactError, InputError
from genret.jobs.cache_folder import default_cache
from genret.jobs.progress import ProgressReport, progress
from genret.jobs.resumable import Parts, begin
from genret.vectors.npy_files import read_vectors

__all__ = ["Encoder", "embed_texts", "passage_vectors"]

KIND = "embeddings"
# 2: the key of what is embedded.
VERSION = 2
PART_TEXTS = 1024

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
    target, job = folder / f"{name}.vectors", folder / f"{name}.parts"
    shape = (len(texts), encoder.dimension)
    found = _cached(target, name, shape)
    if found is None:
        with _alone(folder / f"{name}.lock"):
            found = _cached(target, name, shape)
            if found is None:
                _write(target, name, _computed(job, name, encoder, texts, max_length, description))
            shutil.rmtree(job, ignore_errors=True)
    return found if found is not None else _read(target, name, shape)


def _cached(target: Path, key: str, shape: tuple[int, int]) -> HalfArray | None:
    """The cached vectors; None where there are none, or a damaged file, which is named in a warning."""
    if not target.exists():
        return None
    try:
        return _read(target, key, shape)
    except ArtefactError as error:
        _log.warning("%s The vectors are computed again.", error)
        return None


def _read(target: Path, key: str, shape: tuple[int, int]) -> HalfArray:
    stored = read_container(target, kind=KIND, version=VERSION, verify="full")
    stored.check(target, {"vectors": Section("<f2", 2)})
    vectors: HalfArray = stored.arrays["vectors"]
    if vectors.shape != shape or not np.isfinite(vectors).all():
        raise ArtefactError(
            f"{target}: damaged: it does not hold {shape[0]} vectors of {shape[1]} finite numbers."
        )
    if stored.version >= 2 and stored.meta.get("key") != key:
        raise ArtefactError(f"{target}: belongs elsewhere: it holds the vectors of other texts.")
    return vectors


def _write(target: Path, key: str, vectors: HalfArray) -> None:
    meta = {"rows": len(vectors), "key": key}
    write_container(target, kind=KIND, version=VERSION, meta=meta, arrays={"vectors": vectors})


def _key(encoder: Encoder, texts: Sequence[str], max_length: int) -> str:
    digest = xxhash.xxh3_128(f"plain text {encoder.fingerprint} {max_length} {len(texts)}".encode())
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Inside, no other process is with the same lock; waits for one that is.

    The lock's file goes once the work is done: who waited for it, or makes another, finds what was made.
    """
    with open_for_update(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)


def _computed(
    job: Path, name: str, encoder: Encoder, texts: Sequence[str], max_length: int, description: str
) -> HalfArray:
    """All vectors: of the parts that are whole in the folder `job`, and of the others, which are computed."""
    parts = Parts(len(texts), PART_TEXTS)
    _begin(job, {"key": name, "texts": len(texts), "part_texts": PART_TEXTS})
    vectors = np.empty((len(texts), encoder.dimension), np.float16)
    with progress(len(texts), description, "texts") as report:
        for part in range(len(parts)):
            rows, place, key = parts.rows(part), job / f"part-{part:05}.vectors", f"{name} {part}"
            held = _cached(place, key, (len(rows), encoder.dimension))
            if held is None:
                held = _embed(encoder, texts[rows.start : rows.stop], max_length, report)
                _write(place, key, held)
            else:
                report.advance(len(rows))
            vectors[rows.start : rows.stop] = held
    return vectors


def _begin(job: Path, plan: dict[str, Any]) -> None:
    """Begin a job, or go on with it; anew where what is there is damaged or was cut into other parts."""
    try:
        begin(job, plan, otherwise="it is begun anew")
    except (ArtefactError, InputError) as error:
        _log.warning("%s The vectors are computed again.", error)
        shutil.rmtree(job)
        begin(job, plan, otherwise="")


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
