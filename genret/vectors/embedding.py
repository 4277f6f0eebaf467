"""Vectors of many texts, computed once: cached by content, resumed where a run was interrupted.

Knows texts, passages, an encoder and a folder; knows nothing of rankings. Vectors are computed in the parts of a job
(`genret.jobs.job`); complete, they become one file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from fm_index.container import Section, read_container, write_container
from genret.corpus.types import Passage
from genret.errors import ArtefactError, InputError
from genret.jobs.alone import alone
from genret.jobs.cache_folder import default_cache
from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.progress import progress
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place, storage_of
from genret.vectors.npy_files import read_vectors

__all__ = ["Embed", "Encoder", "embed_parts", "embed_texts", "passage_vectors"]

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
    parts: Place | None = None,
    description: str = "embedding",
) -> HalfArray:
    """Unit vectors of `texts`, float16 [n, d]; memory-mapped, and computed only once, where `cache` is a folder.

    The cache's key covers the encoder, `max_length` and every text, so that nothing stale is ever returned. Of two
    processes that want the same vectors one computes them and the other waits. Parts are in `parts` until all are there;
    None: in the cache.

    A damaged cache is named in a warning and computed again.
    """
    if cache is None:
        with progress(len(texts), description, "texts") as report:
            return encoder.embed(texts, max_length, report=report).astype(np.float16)
    folder = Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    name = _key(encoder, texts, max_length)
    target, job = folder / f"{name}.vectors", _place(folder, name, parts)
    shape = (len(texts), encoder.dimension)
    found = _cached(target, name, shape)
    if found is None:
        with alone(folder / f"{name}.lock", wait=True):
            found = _cached(target, name, shape)
            if found is None:
                work = Embed(lambda: encoder, lambda: texts, max_length, Parts(len(texts), PART_TEXTS))
                ledger = _begin(job, name, work.parts, own=parts is None)
                _write(target, name, _computed(ledger, work, description))
            storage_of(job).clear()
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


def _place(cache: Path, name: str, parts: Place | None) -> Place:
    """Where the parts of the vectors of this key lie."""
    return cache / f"{name}.parts" if parts is None else parts


def _computed(ledger: Ledger, work: Embed, description: str) -> HalfArray:
    """All vectors: of the parts that are whole, and of the others, which are computed."""
    _drop_damaged(ledger)
    HERE.run(Job(ledger, work, description, "texts"))
    dimension = work.load().dimension
    vectors = np.empty((ledger.parts.total, dimension), np.float16)
    for part, data in enumerate(ledger):
        rows = ledger.parts.rows(part)
        vectors[rows.start : rows.stop] = np.frombuffer(data, "<f2").reshape(len(rows), dimension)
    return vectors


@dataclass(frozen=True)
class Embed:
    """What the workers of an embedding do.

    Attributes:
        load: gives the encoder.
        texts: gives all texts.
    """

    load: Callable[[], Encoder]
    texts: Callable[[], Sequence[str]]
    max_length: int
    parts: Parts

    def __call__(self) -> Work:
        encoder, texts = self.load(), self.texts()

        def work(part: int, advance: Advance) -> bytes:
            rows, report = self.parts.rows(part), SimpleNamespace(advance=advance)
            found = encoder.embed(texts[rows.start : rows.stop], self.max_length, report=report)
            return found.astype("<f2").tobytes()

        return work


def embed_parts(
    load: Callable[[], Encoder],
    texts: Callable[[], Sequence[str]],
    executor: Executor,
    *,
    max_length: int = 256,
    cache: str | os.PathLike[str],
    parts: Place | None = None,
) -> int:
    """Compute an executor's share of the vectors of all texts, in parts from which `embed_texts` goes on.

    Args:
        load, texts: give encoder and texts; processes that share the work are sent both.
        parts: where the parts lie, for `embed_texts` too; None: in the cache.

    Returns how many parts are left to others.

    Raises:
        InputError: another process is at the same share, or another job was begun in `parts`.
    """
    name = _key(load(), texts(), max_length)
    if (Path(cache) / f"{name}.vectors").exists():
        return 0
    work = Embed(load, texts, max_length, Parts(len(texts()), PART_TEXTS))
    ledger = _begin(_place(Path(cache), name, parts), name, work.parts, own=parts is None)
    executor.run(Job(ledger, work, "embedding", "texts"))
    return len(ledger.missing())


def _drop_damaged(ledger: Ledger) -> None:
    """Remove parts that are damaged, each with a warning: they are computed again."""
    missing = set(ledger.missing())
    for part in set(range(len(ledger.parts))) - missing:
        try:
            ledger.read(part)
        except ArtefactError as error:
            _log.warning("%s The vectors are computed again.", error)
            ledger.remove(part)


def _begin(job: Place, name: str, parts: Parts, *, own: bool) -> Ledger:
    """Begin a job, or go on with it; a cache's `own` anew where what is there is damaged or was cut into other parts."""
    plan = {"key": name, "texts": parts.total, "part_texts": parts.size}
    if not own:
        return Ledger.begin(job, plan, parts, otherwise="name another place")
    try:
        return Ledger.begin(job, plan, parts, otherwise="it is begun anew")
    except (ArtefactError, InputError) as error:
        _log.warning("%s The vectors are computed again.", error)
        storage_of(job).clear()
        return Ledger.begin(job, plan, parts, otherwise="")


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
