"""Examples tokenised ahead, in memory-mapped shards on disk.

Knows token ids, offsets and files; knows no text, no model and no mixture. A source's shards hold the same number of
examples each, the last one fewer, so that a row's shard is a division; memory does not grow with the corpus.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from docid import DocidTable
from docid.ragged import is_partition
from fm_index.container import Section, read_container, write_container
from genret.artefact import check_folder
from genret.errors import ArtefactError, InputError

__all__ = ["DOCIDS", "KIND", "VERSION", "PackedExample", "PackedExamples", "shard_path", "write_shard"]

# 2: a shard knows its source. Both are read.
KIND, VERSION = "packed examples", 2
SHARD_KIND = "packed shard"
DOCIDS = "docids"
SECTIONS = ("sources", "targets")
SHARD_SECTIONS = {
    "documents": Section("<i8"),
    **{name: Section("<i4") for name in SECTIONS},
    **{f"{name}_offsets": Section("<i8") for name in SECTIONS},
}

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


def read_shard(path: Path, source: str, rows: range) -> dict[str, IntArray]:
    """Map the shard that holds these rows of a source; its header is checked, its bytes are the manifest's matter.

    Raises:
        ArtefactError: the file is damaged, or another shard.
    """
    stored = read_container(path, kind=SHARD_KIND, version=VERSION)
    stored.check(path, SHARD_SECTIONS)
    own = {"rows": [rows.start, rows.stop], **({"source": source} if stored.version >= 2 else {})}
    if stored.meta != own:
        raise ArtefactError(f"{path}: belongs elsewhere: it holds {stored.meta!r:.200}, expected {own}.")
    arrays = {name: array.view(np.ndarray) for name, array in stored.arrays.items()}
    lengths = {len(arrays["documents"]), *(len(arrays[f"{name}_offsets"]) - 1 for name in SECTIONS)}
    if lengths != {len(rows)}:
        raise ArtefactError(f"{path}: damaged: it does not hold {len(rows)} examples throughout.")
    return arrays


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
        self._shards = {name: list(self._read(name, size)) for name, size in self.sizes.items()}

    def _read(self, name: str, size: int) -> Iterator[dict[str, IntArray]]:
        for number, begin in enumerate(range(0, size, self._width)):
            rows = range(begin, min(begin + self._width, size))
            yield read_shard(shard_path(self.folder, name, number), name, rows)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, verify: bool = True) -> PackedExamples:
        """Open a folder; `verify` reads every byte of it once.

        Raises:
            InputError: there is no such folder. ArtefactError: it is damaged or incomplete; the message names the
                shard.
        """
        place = Path(folder)
        meta = check_folder(place, kind=KIND, version=VERSION, verify=verify)
        if not _is_meta(meta):
            raise ArtefactError(
                f"{place}: damaged: its sizes, shards or tokenizer are not as they are written."
            )
        folders = {path.name for path in place.iterdir() if path.is_dir()}
        if folders != {name for name, size in meta["sizes"].items() if size}:
            raise ArtefactError(f"{place}: damaged: its sources are not those that its manifest counts.")
        packed = cls(place, meta)
        if verify:
            packed._check(packed.table.num_documents)
        return packed

    def _check(self, documents: int) -> None:
        """Read every shard's numbers once."""
        for name, shards in self._shards.items():
            for number, shard in enumerate(shards):
                if fault := _fault(shard, documents):
                    path = shard_path(self.folder, name, number)
                    raise ArtefactError(f"{path}: damaged: {fault}. Prepare the examples again.")

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


def _is_meta(meta: Mapping[str, Any]) -> bool:
    sizes = meta.get("sizes")
    counts = [*sizes.values(), meta.get("shard_examples")] if isinstance(sizes, dict) else [None]
    whole = all(type(count) is int and count >= 0 for count in counts)
    return whole and bool(meta["shard_examples"]) and isinstance(meta.get("tokenizer"), str)


def _fault(shard: Mapping[str, IntArray], documents: int) -> str | None:
    for name in SECTIONS:
        offsets, tokens = shard[f"{name}_offsets"], shard[name]
        if not is_partition(offsets, len(tokens)):
            return f"the offsets do not divide its {name}"
        if len(tokens) and int(tokens.min()) < 0:
            return f"a token of its {name} is negative"
    if bool((np.diff(shard["targets_offsets"]) == 0).any()):
        return "an example has no target"
    # Each target closes with the end token.
    ends = shard["targets"][shard["targets_offsets"][1:] - 1]
    if len(ends) and bool((ends != ends[0]).any()):
        return "two targets do not close with one token"
    if len(ends) and not -1 <= int(shard["documents"].min()) <= int(shard["documents"].max()) < documents:
        return "an example is of no document"
    return None
