"""A text index whose shards are built as the parts of a job, each of so many passages, and then joined.

A shard's file lies beside the parts, where its worker wrote it, and its part says which one it is; the join gives it a
second name in the index, or brings it there, and writes what names all. Knows parts and their bytes; tokenising and
building a shard are done as for an index that is built in one pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

import xxhash

from fm_index import FMIndex, Profile, ShardedFMIndex
from fm_index.files import file_digest, foreign, strict_json
from fm_index.sharded import open_shard, shard_name
from genret.corpus import Passage, PassageStore
from genret.corpus.shared_store import SharedStore
from genret.errors import ArtefactError
from genret.indexing.build import build_part, check_inputs, publish_index
from genret.indexing.layout import Layout
from genret.indexing.tokenise import tokenise_passages
from genret.jobs.job import HERE, Advance, Executor, Job, Once, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place, Storage, storage_of
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.interface import Tokenizer

__all__ = ["build_in_parts"]


@dataclass(frozen=True)
class _Shards:
    """What the workers do: a shard's file, and the bytes of a part: its checksum, and how long each title is."""

    place: Place
    passages: Callable[[], PassageStore]
    tokenizer: Callable[[], Tokenizer]
    profile: Profile
    layout: Layout | None
    queries: Sequence[Sequence[str]] | None
    parts: Parts

    def __call__(self) -> Work:
        passages, tokenizer, storage = self.passages(), self.tokenizer(), storage_of(self.place)

        def work(part: int, advance: Advance) -> bytes:
            rows = self.parts.rows(part)
            asked = None if self.queries is None else self.queries[rows.start : rows.stop]
            with TemporaryDirectory() as scratch:
                (tokens,) = tokenise_passages(
                    _Rows(passages, rows), tokenizer, Path(scratch), None, self.layout, asked
                )
                shard = build_part(tokens, len(tokenizer), self.profile)
            digest = _put(storage, shard, part)
            advance(len(rows))
            return json.dumps({"shard": digest, "titles": tokens.title_lengths}).encode() + b"\n"

        return work


def build_in_parts(
    passages: PassageStore,
    tokenizer: Once[Tokenizer],
    output: str | os.PathLike[str],
    shard_passages: int,
    executor: Executor = HERE,
    *,
    profile: Profile = "fast",
    layout: Layout | None = None,
    pseudo_queries: Sequence[Sequence[str]] | None = None,
    overwrite: bool = False,
    place: Place | None = None,
) -> dict[str, Any] | None:
    """As `build_text_index`, with a shard for so many passages; None where parts are left to others.

    Parts are in `place` (None: `OUTPUT.parts`) until the index is there; a killed build goes on.

    Raises:
        InputError: as there, or another index was begun with this output.
    """
    check_inputs(passages, None, layout, pseudo_queries)
    folder = place or f"{os.fspath(output)}.parts"
    plan = {
        "passages": passages.fingerprint,
        "tokenizer": tokenizer_fingerprint(tokenizer()),
        "shard_passages": shard_passages,
        "profile": profile,
        "layout": None if layout is None else layout.values(),
        "pseudo_queries": None if pseudo_queries is None else _fingerprint(pseudo_queries),
        "shards": "beside the parts",
    }
    parts = Parts(len(passages), shard_passages)
    ledger = Ledger.begin(folder, plan, parts, otherwise="remove that folder, or name another output")
    shared = SharedStore(passages, folder)
    work = _Shards(folder, shared, tokenizer, profile, layout, pseudo_queries, parts)
    executor.run(Job(ledger, work, "indexing", "passages"))
    if ledger.missing():
        return None

    join = partial(_joined, ledger)
    meta = publish_index(passages, tokenizer(), output, join, profile, layout, overwrite)
    ledger.clear()
    return meta


def _put(storage: Storage, shard: FMIndex, part: int) -> str:
    """Write the shard of a part where the parts are; returns its checksum."""
    digests: list[str] = []

    def save(path: Path) -> None:
        shard.save(path, place=part)
        digests.append(file_digest(path))

    storage.put(_file_of(part), save)
    return digests[0]


def _file_of(part: int) -> str:
    """A shard's file beside the parts."""
    return f"shard-{part:06d}.fmi"


def _joined(ledger: Ledger, place: Path) -> tuple[ShardedFMIndex, list[int]]:
    """The shards of all parts, in the folder of an index, as one; and the lengths of all titles."""
    shards: list[FMIndex] = []
    titles: list[int] = []
    for part, data in enumerate(ledger):
        with foreign(ledger.where(part), "a part of a job"):
            found = strict_json(data)
            name, lengths = shard_name(found["shard"]), found["titles"]
        file = _file_of(part)
        ledger.storage.bring(file, place / name)
        try:
            shards.append(open_shard(place, name, verify="full"))
        except ArtefactError as error:
            raise ArtefactError(
                f"{ledger.storage.where(file)}: {error} Remove {ledger.where(part)}, and give the same command again."
            ) from error
        titles += lengths
    return ShardedFMIndex(shards), titles


def _fingerprint(queries: Sequence[Sequence[str]]) -> str:
    digest = xxhash.xxh3_128()
    for own in queries:
        digest.update("\0".join([str(len(own)), *own, ""]).encode())
    return digest.hexdigest()


class _Rows(Sequence[Passage]):
    """Some rows of a store, each made when asked for."""

    def __init__(self, passages: PassageStore, rows: range) -> None:
        self._passages, self._rows = passages, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | Sequence[Passage]:
        if isinstance(row, slice):
            return _Rows(self._passages, self._rows[row])
        return self._passages[self._rows[row]]

    def __iter__(self) -> Iterator[Passage]:
        return (self._passages[row] for row in self._rows)
