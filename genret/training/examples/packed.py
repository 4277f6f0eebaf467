"""Examples tokenised ahead, in memory-mapped shards on disk.

Knows token ids, offsets and files; knows no text, no model and no mixture. A source's shards hold the same number of
examples each, the last one fewer, so that a row's shard is a division; memory does not grow with the corpus.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from docid import DocidTable
from fm_index.container import Container, read_container, write_container
from genret.artefact import check_folder
from genret.errors import ArtefactError, InputError

__all__ = ["DOCIDS", "KIND", "VERSION", "PackedExample", "PackedExamples", "shard_path", "write_shard"]

KIND, VERSION = "packed examples", 1
SHARD_KIND = "packed shard"
DOCIDS = "docids"
SECTIONS = ("sources", "targets")

IntArray = npt.NDArray[Any]


class PackedExample(NamedTuple):
    """Source tokens, special ones included; target tokens, the end token included; the passage's row, or -1."""

    source: IntArray
    target: IntArray
    document: int


def shard_path(folder: Path, source: str, number: int) -> Path:
    """Where a shard of a source lies."""
    return folder / source / f"shard-{number:05d}.bin"


def write_shard(
    path: Path,
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    documents: Sequence[int],
    meta: Mapping[str, Any],
) -> None:
    """Write one shard, whole or not at all."""
    arrays: dict[str, IntArray] = {"documents": np.asarray(documents, np.int64)}
    for name, rows in zip(SECTIONS, (sources, targets), strict=True):
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        arrays[f"{name}_offsets"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        arrays[name] = np.fromiter((token for row in rows for token in row), np.int32, int(lengths.sum()))
    write_container(path, kind=SHARD_KIND, version=VERSION, meta=meta, arrays=arrays)


def read_shard(path: Path) -> Container:
    """Map a shard; its header is checked, its bytes are the manifest's matter."""
    return read_container(path, kind=SHARD_KIND, version=VERSION)


class PackedExamples:
    """A folder that `prepare_examples` wrote.

    Attributes:
        sizes: examples of each source.
        meta: `tokenizer` (the fingerprint), `corpus`, `shard_examples`, `configuration`.
    """

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        self.folder, self.meta = folder, meta
        self.sizes: dict[str, int] = meta["sizes"]
        self._width: int = meta["shard_examples"]
        self._shards = {
            name: [
                _plain(read_shard(shard_path(folder, name, number)).arrays)
                for number in range(-(-size // self._width))
            ]
            for name, size in self.sizes.items()
        }

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, verify: bool = True) -> PackedExamples:
        """Open a folder; `verify` reads every byte of it once.

        Raises:
            InputError: there is no such folder. ArtefactError: it is damaged or incomplete; the message names the
                shard.
        """
        place = Path(folder)
        meta = check_folder(place, kind=KIND, version=VERSION, verify=verify)
        packed = cls(place, meta)
        for name, size in packed.sizes.items():
            found = sum(len(shard["documents"]) for shard in packed._shards[name])
            if found != size:
                raise ArtefactError(f"{place}: source {name!r} holds {found} examples, expected {size}.")
        return packed

    @property
    def table(self) -> DocidTable:
        """The docids that the targets spell, bound."""
        return DocidTable.load(self.folder / DOCIDS)

    def check_tokenizer(self, fingerprint: str) -> None:
        """Refuse a tokenizer other than the one that the examples were made with.

        Raises:
            InputError: the fingerprints differ.
        """
        if fingerprint != self.meta["tokenizer"]:
            raise InputError(
                f"{self.folder}: prepared with another tokenizer (fingerprint {self.meta['tokenizer']}, this one's "
                f"is {fingerprint}); prepare the examples again with `genret data prepare`."
            )

    def example(self, source: str, row: int) -> PackedExample:
        """One example, its tokens mapped from the file."""
        shard, place = self._place(source, row)
        begin, end = shard["sources_offsets"][place : place + 2]
        first, last = shard["targets_offsets"][place : place + 2]
        return PackedExample(
            shard["sources"][begin:end], shard["targets"][first:last], int(shard["documents"][place])
        )

    def lengths(self, source: str, row: int) -> tuple[int, int]:
        """Source and target tokens of one example."""
        shard, place = self._place(source, row)
        sources, targets = shard["sources_offsets"], shard["targets_offsets"]
        return int(sources[place + 1] - sources[place]), int(targets[place + 1] - targets[place])

    def _place(self, source: str, row: int) -> tuple[dict[str, IntArray], int]:
        number, place = divmod(row, self._width)
        return self._shards[source][number], place


def _plain(arrays: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Still mapped, but no `numpy.memmap`, whose every slice is a Python call."""
    return {name: array.view(np.ndarray) for name, array in arrays.items()}
