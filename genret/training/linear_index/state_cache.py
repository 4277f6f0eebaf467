"""Token states of a frozen encoder, computed once and read by memory map, so that training touches the decoder only.

Knows texts and half-precision arrays; knows no decoder. The folder's name is a digest of the encoder's
fingerprint and of the texts: another encoder or another text is another cache, never a stale one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from docid.ragged import is_partition
from fm_index.container import Section, read_container, write_container
from genret.artefact import check_folder, publish_folder
from genret.errors import ArtefactError, InputError
from genret.jobs.progress import progress

__all__ = ["StateCache", "StateEncoder"]

# 2: one container file; older caches are computed again.
KIND, VERSION = "token states", 2
STATES_FILE, KEY_BYTES = "states.bin", 16
SECTIONS = {
    "states": Section("<f2", 2),
    "offsets": Section("<i8"),
    "vectors": Section("<f4", 2),
    "keys": Section("|u1", 2),
}
BATCH_TOKENS = 4096
_log = logging.getLogger(__name__)


class StateEncoder(Protocol):
    """The part of a sentence encoder that is needed here."""

    fingerprint: str
    dimension: int

    def token_counts(self, texts: Sequence[str], max_length: int) -> list[int]: ...

    def states(self, texts: Sequence[str], max_length: int) -> tuple[Tensor, Tensor, Tensor]: ...


class StateCache:
    """The token states of a fixed set of texts.

    Use `build`, which finds or computes them.

    """

    def __init__(self, folder: Path, keys: Sequence[bytes], encoder: StateEncoder, keep: int) -> None:
        path = folder / STATES_FILE
        stored = read_container(path, kind=KIND, version=VERSION, verify="full")
        stored.check(path, SECTIONS)
        self.states: npt.NDArray[np.float16] = stored.arrays["states"]
        self.offsets: npt.NDArray[np.int64] = stored.arrays["offsets"]
        self.vectors: npt.NDArray[np.float32] = stored.arrays["vectors"]
        if fault := self._fault(stored.arrays["keys"], keys, encoder.dimension, keep):
            raise ArtefactError(f"{path}: damaged: {fault}.")
        self._rows = {key: row for row, key in enumerate(keys)}

    def _fault(
        self, stored: npt.NDArray[np.uint8], keys: Sequence[bytes], dimension: int, keep: int
    ) -> str | None:
        if stored.shape != (len(keys), KEY_BYTES) or stored.tobytes() != b"".join(keys):
            return "it holds the states of other texts"
        if len(self.offsets) != len(keys) + 1 or not is_partition(self.offsets, len(self.states)):
            return "the offsets do not divide the states"
        if len(keys) and int(np.diff(self.offsets).max()) > keep:
            return f"a text has more than {keep} states"
        if self.states.shape[1] != dimension or self.vectors.shape != (len(keys), dimension):
            return f"its states or vectors are not of {dimension} dimensions"
        if not np.isfinite(self.vectors).all() or not np.isfinite(self.states).all():
            return "a state or a vector is not finite"
        return None

    @classmethod
    def build(
        cls,
        folder: str | os.PathLike[str],
        encoder: StateEncoder,
        texts: Sequence[str],
        *,
        max_length: int,
        keep: int,
    ) -> StateCache:
        """The states of all distinct `texts`, cut to `max_length` tokens, from below `folder` or computed now.

        The states of the first `keep` tokens are stored; the vectors are over all `max_length`. float16,
        `dimension` x 2 bytes a token: 12,000 passages of 64 tokens take 590 MB. A damaged cache is named in a
        warning and computed again.
        """
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        place = Path(folder) / _digest(encoder, distinct, max_length, keep)
        keys = list(map(_key, distinct))
        if place.exists():
            try:
                check_folder(
                    place, kind=KIND, version=VERSION, verify=False
                )  # the file's own sums are checked
                return cls(place, keys, encoder, keep)
            except (ArtefactError, InputError) as error:
                _log.warning("%s The cache is computed again.", error)
                shutil.rmtree(place)
        meta = {
            "encoder": encoder.fingerprint,
            "texts": len(distinct),
            "max_length": max_length,
            "keep": keep,
        }
        with publish_folder(place, kind=KIND, version=VERSION, meta=meta, overwrite=True) as scratch:
            _write(scratch, encoder, distinct, max_length, keep)
        return cls(place, keys, encoder, keep)

    def __contains__(self, text: str) -> bool:
        """Whether the text's states are cached."""
        return _key(text) in self._rows

    def batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """States float32 [n, S, d] padded on the right with zeros, which are real, bool [n, S], and vectors [n, d].

        Raises:
            InputError: a text is not in the cache.
        """
        rows = [self._row(text) for text in texts]
        lengths = self.offsets[1:][rows] - self.offsets[:-1][rows]
        states = np.zeros((len(rows), int(lengths.max()), self.states.shape[1]), np.float16)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            states[place, :length] = self.states[self.offsets[row] : self.offsets[row] + length]
        mask = torch.arange(states.shape[1]) < torch.from_numpy(lengths)[:, None]
        return torch.from_numpy(states).float(), mask, torch.from_numpy(self.vectors[rows])

    def _row(self, text: str) -> int:
        row = self._rows.get(_key(text))
        if row is None:
            raise InputError(
                f"the text {text[:80]!r} is not among the {len(self._rows)} whose states are cached."
            )
        return row


def _key(text: str) -> bytes:
    return xxhash.xxh3_128_digest(text.encode())


def _digest(encoder: StateEncoder, texts: Sequence[str], max_length: int, keep: int) -> str:
    digest = xxhash.xxh3_128(
        json.dumps([VERSION, "plain text", encoder.fingerprint, max_length, keep]).encode()
    )
    for text in texts:
        digest.update(_key(text))
    return digest.hexdigest()


def _write(scratch: Path, encoder: StateEncoder, texts: Sequence[str], max_length: int, keep: int) -> None:
    """Fill a folder: the tokenizer says how much room each text takes, the encoder fills it."""
    lengths = _token_counts(encoder, texts, max_length)
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, keep))]).astype(np.int64)
    with TemporaryDirectory(dir=scratch) as room:
        states = _map(Path(room) / "states", (int(offsets[-1]), encoder.dimension))
        vectors = np.empty((len(texts), encoder.dimension), np.float32)
        with progress(len(texts), "encoding", "texts") as bar:
            for begin, end in _batches(lengths):
                found, mask, pooled = encoder.states(texts[begin:end], max_length)
                kept = found[:, :keep][mask[:, :keep]]
                states[offsets[begin] : offsets[end]] = kept.to(torch.float16).cpu().numpy()
                vectors[begin:end] = pooled.cpu().numpy()
                bar.advance(end - begin)
        keys = np.frombuffer(b"".join(map(_key, texts)), np.uint8).reshape(-1, KEY_BYTES)
        arrays: dict[str, npt.NDArray[Any]] = {
            "states": states,
            "offsets": offsets,
            "vectors": vectors,
            "keys": keys,
        }
        write_container(scratch / STATES_FILE, kind=KIND, version=VERSION, meta={}, arrays=arrays)


def _map(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.float16]:
    """Room on disk for states; none of them needs none."""
    return np.memmap(path, np.float16, "w+", shape=shape) if shape[0] else np.empty(shape, np.float16)


def _token_counts(encoder: StateEncoder, texts: Sequence[str], max_length: int) -> npt.NDArray[np.int64]:
    return np.array(encoder.token_counts(texts, max_length), np.int64)


def _batches(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of texts whose padded size stays within `BATCH_TOKENS`; texts come sorted by length in characters."""
    begin = 0
    while begin < len(lengths):
        end, width = begin, 0
        while end < len(lengths) and max(width, int(lengths[end])) * (end + 1 - begin) <= BATCH_TOKENS:
            width = max(width, int(lengths[end]))
            end += 1
        end = max(end, begin + 1)
        yield begin, end
        begin = end
