"""A text index whose shards are built as the parts of a job, each of so many passages, and then joined.

Knows parts and their bytes; tokenising and building a shard are done as for an index that is built in one pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

import numpy as np
import xxhash

from fm_index import FMIndex, Profile, ShardedFMIndex
from genret.corpus import Passage, PassageStore
from genret.corpus.shared_store import SharedStore
from genret.indexing.build import build_part, check_inputs, publish_index
from genret.indexing.layout import Layout
from genret.indexing.tokenise import tokenise_passages
from genret.jobs.job import HERE, Advance, Executor, Job, Once, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.interface import Tokenizer

__all__ = ["build_in_parts"]


@dataclass(frozen=True)
class _Shards:
    """What the workers do: the bytes of a part are how many passages it has, how long each title is, and the shard."""

    passages: Callable[[], PassageStore]
    tokenizer: Callable[[], Tokenizer]
    profile: Profile
    layout: Layout | None
    queries: Sequence[Sequence[str]] | None
    parts: Parts

    def __call__(self) -> Work:
        passages, tokenizer = self.passages(), self.tokenizer()

        def work(part: int, advance: Advance) -> bytes:
            rows = self.parts.rows(part)
            asked = None if self.queries is None else self.queries[rows.start : rows.stop]
            with TemporaryDirectory() as scratch:
                place = Path(scratch)
                found = tokenise_passages(_Rows(passages, rows), tokenizer, place, None, self.layout, asked)
                (tokens,) = found
                build_part(tokens, len(tokenizer), self.profile).save(place / "shard.fmi")
                titles = np.array([len(rows), *tokens.title_lengths], "<i4")
                advance(len(rows))
                return titles.tobytes() + (place / "shard.fmi").read_bytes()

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
    }
    parts = Parts(len(passages), shard_passages)
    ledger = Ledger.begin(folder, plan, parts, otherwise="remove that folder, or name another output")
    shared = SharedStore(passages, folder)
    work = _Shards(shared, tokenizer, profile, layout, pseudo_queries, parts)
    executor.run(Job(ledger, work, "indexing", "passages"))
    if ledger.missing():
        return None

    def join(scratch: Path) -> tuple[ShardedFMIndex, list[int]]:
        return _joined(ledger, scratch)

    meta = publish_index(passages, tokenizer(), output, join, profile, layout, overwrite)
    ledger.clear()
    return meta


def _joined(ledger: Ledger, scratch: Path) -> tuple[ShardedFMIndex, list[int]]:
    """The shards of all parts as one index, and the lengths of all titles."""
    shards: list[FMIndex] = []
    titles: list[int] = []
    for data in ledger:
        count = int(np.frombuffer(data, "<i4", count=1)[0])
        titles += np.frombuffer(data, "<i4", count=count, offset=4).tolist()
        path = scratch / f"shard-{len(shards)}.fmi"
        path.write_bytes(memoryview(data)[4 + 4 * count :])
        shards.append(FMIndex.load(path))
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
