"""Several indexes that behave as one, so that a corpus larger than memory is built and changed piece by piece.

Knows how to merge answers and which documents were removed; knows nothing of how a shard answers.

Ranges are arrays [B, S], one column a shard. Documents are numbered through all shards in order, positions
likewise. Removed documents never come out of `documents`; counts and successors include them until `compact`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fm_index import _core
from fm_index.arrays import Ints, as_ints, pack
from fm_index.container import ArtefactError, Container, Section, Verify, read_container, write_container
from fm_index.files import file_digest
from fm_index.full_text_index import FMIndex, Profile, Progress, Tokens

__all__ = ["ShardedFMIndex", "open_shard", "save_shard", "shard_name"]

KIND = "fm_index_shards"
# 2: how many documents each shard has.
VERSION = 2
MANIFEST = "shards.fmi"

ShardedSuccessors = tuple[Ints, Tokens, Ints, Ints]


class ShardedFMIndex:
    """Shards, and the documents removed from them.

    Attributes:
        shards: the indexes, in document order.
        removed: bool [num_documents].
    """

    def __init__(self, shards: Sequence[FMIndex], removed: npt.NDArray[np.bool_] | None = None) -> None:
        """Join `shards`; `removed` marks documents that are gone."""
        if not shards:
            raise ValueError("shards: expected at least one.")
        self.shards = list(shards)
        self.removed = np.zeros(self.num_documents, np.bool_) if removed is None else removed
        if self.removed.shape != (self.num_documents,) or self.removed.dtype != np.bool_:
            raise ValueError(f"removed: expected bool [{self.num_documents}], found {self.removed.dtype}.")

    # ---- making and changing ------------------------------------------------------------------------------

    def add(
        self,
        documents: Iterable[Sequence[int] | npt.NDArray[Any]],
        *,
        profile: Profile = "fast",
        progress: Progress | None = None,
    ) -> Ints:
        """Build one more shard of these documents; returns their numbers, int64 [n]; errors as `FMIndex.build`."""
        shard = FMIndex.from_documents(documents, profile=profile, progress=progress)
        first = self.num_documents
        self.shards.append(shard)
        self.removed = np.concatenate([self.removed, np.zeros(shard.num_documents, np.bool_)])
        return np.arange(first, self.num_documents)

    def remove(self, documents: npt.ArrayLike) -> None:
        """Mark documents (integers [n]) as removed; ValueError where there is no such document."""
        self.removed[self._checked(documents)] = True

    def compact(self, *, progress: Progress | None = None) -> Ints:
        """Rebuild the shards that hold removed documents without them; shards left empty go.

        Returns:
            int64 [num_documents before]: each document's new number, -1 for the removed.
        """
        numbers = np.where(self.removed, -1, np.cumsum(~self.removed) - 1)
        kept: list[FMIndex] = []
        for shard, gone in zip(self.shards, np.split(self.removed, self._bases[1:-1]), strict=True):
            if not gone.any():
                kept.append(shard)
            elif not gone.all():
                kept.append(_without(shard, gone, progress))
        # A sharded index has at least one: its vocabulary and threads are asked of the first.
        self.shards = kept or [FMIndex.from_documents([], vocab_size=self.vocab_size)]
        self.removed = np.zeros(self.num_documents, np.bool_)
        return numbers

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write shards and manifest into `folder`; the manifest comes last, files no longer named go after it.

        A shard's file is named by its content, so an interrupted save leaves what was there readable.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        names = [save_shard(shard, place, number) for number, shard in enumerate(self.shards)]
        meta = {"shards": names, "documents": [shard.num_documents for shard in self.shards]}
        write_container(
            place / MANIFEST, kind=KIND, version=VERSION, meta=meta, arrays={"removed": self.removed}
        )
        # After the manifest: until it is written the old one still names them.
        for path in place.glob("shard-*.fmi"):
            if path.name not in names:
                path.unlink()

    @classmethod
    def load(cls, folder: str | os.PathLike[str], mmap: bool = True, verify: Verify = "header") -> Self:
        """Open a saved folder; `mmap`, `verify` and errors as for `FMIndex.load`."""
        path = Path(folder) / MANIFEST
        container = read_container(path, kind=KIND, version=VERSION, mmap=False, verify="full")
        container.check(path, {"removed": Section("|b1")}, {"shards": list})
        names = container.meta["shards"]
        if not names or len(set(map(str, names))) != len(names) or not all(map(_is_name, names)):
            raise ArtefactError(f"{path}: altered: its shards are {names!r:.200}.")
        shards = [open_shard(Path(folder), name, mmap, verify) for name in names]
        _check_places(path, shards, container)
        return cls(shards, container.arrays["removed"].copy())

    # ---- facts --------------------------------------------------------------------------------------------

    @property
    def num_tokens(self) -> int:
        """Tokens in all documents, removed ones included."""
        return sum(shard.num_tokens for shard in self.shards)

    @property
    def num_documents(self) -> int:
        """Documents, removed ones included."""
        return sum(shard.num_documents for shard in self.shards)

    @property
    def vocab_size(self) -> int:
        """All tokens are below this number."""
        return max(shard.vocab_size for shard in self.shards)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(shard.nbytes for shard in self.shards)

    @property
    def threads(self) -> int:
        """How many threads a batch may use; that of the first shard."""
        return self.shards[0].threads

    @threads.setter
    def threads(self, threads: int) -> None:
        for shard in self.shards:
            shard.threads = threads

    # ---- queries ------------------------------------------------------------------------------------------

    def range(self, ngram: Sequence[int] | npt.NDArray[Any]) -> tuple[Ints, Ints]:
        """int64 [S] twice: the n-gram's rows in each shard."""
        ranges = np.array([shard.range(ngram) for shard in self.shards], np.int64)
        return ranges[:, 0].copy(), ranges[:, 1].copy()

    def count(self, ngram: Sequence[int] | npt.NDArray[Any]) -> int:
        """Occurrences of an n-gram, those in removed documents included."""
        return sum(shard.count(ngram) for shard in self.shards)

    def document_frequency(self, ngram: Sequence[int] | npt.NDArray[Any]) -> int:
        """How many documents that were not removed hold an n-gram."""
        lo, hi = self.range(ngram)
        return int(self.documents(lo[None], hi[None])[0][1])

    def document_start(self) -> tuple[Ints, Ints]:
        """int64 [S] twice: the ranges whose successors are the documents' first tokens."""
        ranges = np.array([shard.document_start() for shard in self.shards], np.int64)
        return ranges[:, 0].copy(), ranges[:, 1].copy()

    def step(self, lo: Ints, hi: Ints, tokens: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Extend each range [B, S] by one token [B]."""
        wanted = as_ints(tokens, "tokens")
        return self._columns(lo, hi, lambda shard, first, last, s: shard.step(first, last, wanted))

    def successors(self, lo: Ints, hi: Ints) -> ShardedSuccessors:
        """offsets [B + 1], tokens [m], counts [m] of all shards together, and counts [m, S] of each."""
        lo, hi = self._ranges(lo, hi)
        lists = [shard.successors(lo[:, s], hi[:, s]) for s, shard in enumerate(self.shards)]
        return _core.merge_successors(lists)

    def children(self, lo: Ints, hi: Ints, tokens: npt.ArrayLike, shard_counts: Ints) -> tuple[Ints, Ints]:
        """The ranges [B, S] of chosen successors; `shard_counts` [B, S] as `successors` gave them."""
        wanted = as_ints(tokens, "tokens")
        counts = np.asarray(shard_counts)
        if counts.shape != (len(wanted), len(self.shards)):
            raise ValueError(
                f"shard_counts: expected {(len(wanted), len(self.shards))}, found {counts.shape}."
            )
        return self._columns(
            lo, hi, lambda shard, first, last, s: _children(shard, first, last, wanted, counts[:, s])
        )

    def top_successors(
        self, lo: Ints, hi: Ints, scores: npt.NDArray[np.float32], k: int
    ) -> ShardedSuccessors:
        """The `k` best-scored successors of each range, as `successors`; scores float32 [B, V]."""
        lo, hi = self._ranges(lo, hi)
        # One of the best of all is among the best of every shard that has it.
        lists = [shard.top_successors(lo[:, s], hi[:, s], scores, k) for s, shard in enumerate(self.shards)]
        offsets, tokens, counts, shard_counts = _core.merge_successors(lists)
        beams = np.repeat(np.arange(len(lo)), np.diff(offsets))
        found = scores[beams, tokens]
        # NaN last, as the native core has it; equal scores by token, whatever the number of shards.
        order = np.lexsort((tokens, -np.where(np.isnan(found), -np.inf, found), beams))
        ranks = np.arange(len(order)) - offsets[:-1][beams]
        best = np.sort(order[ranks < k])
        kept = np.zeros(len(offsets), np.int64)
        np.cumsum(np.minimum(np.diff(offsets), k), out=kept[1:])
        return kept, tokens[best], counts[best], shard_counts[best]

    def locate(self, shards: npt.ArrayLike, rows: npt.ArrayLike) -> Ints:
        """int64 [B]: the position of each row of the shard beside it, counted through all shards."""
        bases = np.cumsum([0, *(shard.num_tokens for shard in self.shards)])
        return self._rows(shards, rows, FMIndex.locate, bases)

    def documents_of(self, shards: npt.ArrayLike, rows: npt.ArrayLike) -> Ints:
        """int64 [B]: the document of each row, removed or not."""
        return self._rows(shards, rows, FMIndex.documents_of, self._bases)

    def documents(
        self, lo: Ints, hi: Ints, limit: int | None = None, *, occurrences: bool = False
    ) -> tuple[Ints, ...]:
        """The distinct documents of each range, ascending, without the removed; at most `limit` of each."""
        lo, hi = self._ranges(lo, hi)
        parts = [
            # Removed documents would use up places of the limit.
            shard.documents(lo[:, s], hi[:, s], None if gone else limit, occurrences=occurrences)
            for s, (shard, gone) in enumerate(zip(self.shards, self._any_removed(), strict=True))
        ]
        beams = np.concatenate([np.repeat(np.arange(len(lo)), np.diff(part[0])) for part in parts])
        found = np.concatenate([part[1] + base for part, base in zip(parts, self._bases, strict=False)])
        order = np.lexsort((found, beams))
        order = order[~self.removed[found[order]]]
        offsets, chosen = _first_of_each(beams[order], len(lo), limit)
        order = order[chosen]
        if not occurrences:
            return offsets, found[order]
        return offsets, found[order], np.concatenate([part[2] for part in parts])[order]

    def extract(self, document: int) -> Tokens:
        """int32: the tokens of a document, removed or not."""
        number = int(self._checked([document])[0])
        shard = int(np.searchsorted(self._bases, number, side="right")) - 1
        return self.shards[shard].extract(number - int(self._bases[shard]))

    def extract_many(self, documents: npt.ArrayLike) -> tuple[Ints, Tokens]:
        """offsets int64 [B + 1] and tokens int32 of several documents."""
        tokens, offsets = pack([self.extract(int(d)) for d in as_ints(documents, "documents")])
        return offsets, tokens.astype(np.int32)

    def verify(self) -> None:
        """Verify every shard; errors as `FMIndex.verify`."""
        for shard in self.shards:
            shard.verify()

    # ---- helpers ------------------------------------------------------------------------------------------

    @property
    def _bases(self) -> Ints:
        """The number of each shard's first document, and of all."""
        return np.cumsum([0, *(shard.num_documents for shard in self.shards)])

    def _any_removed(self) -> list[bool]:
        return [bool(part.any()) for part in np.split(self.removed, self._bases[1:-1])]

    def _checked(self, documents: npt.ArrayLike) -> Ints:
        numbers = as_ints(documents, "documents")
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self.num_documents):
            raise ValueError(f"documents: expected 0 to {self.num_documents - 1}, found {numbers}.")
        return numbers

    def _ranges(self, lo: Ints, hi: Ints) -> tuple[Ints, Ints]:
        lo, hi = np.asarray(lo), np.asarray(hi)
        if lo.shape != hi.shape or lo.ndim != 2 or lo.shape[1] != len(self.shards):
            raise ValueError(
                f"lo, hi: expected [beams, {len(self.shards)}], found {lo.shape} and {hi.shape}."
            )
        return lo, hi

    def _columns(self, lo: Ints, hi: Ints, call: Any) -> tuple[Ints, Ints]:
        lo, hi = self._ranges(lo, hi)
        columns = [call(shard, lo[:, s], hi[:, s], s) for s, shard in enumerate(self.shards)]
        return np.stack([c[0] for c in columns], axis=1), np.stack([c[1] for c in columns], axis=1)

    def _rows(self, shards: npt.ArrayLike, rows: npt.ArrayLike, call: Any, bases: Ints) -> Ints:
        numbers, wanted = as_ints(shards, "shards"), as_ints(rows, "rows")
        if numbers.shape != wanted.shape:
            raise ValueError(
                f"shards, rows: expected equal lengths, found {numbers.shape} and {wanted.shape}."
            )
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(self.shards)):
            raise ValueError(f"shards: expected 0 to {len(self.shards) - 1}, found {numbers}.")
        out = np.empty(len(wanted), np.int64)
        for s, shard in enumerate(self.shards):
            here = numbers == s
            out[here] = call(shard, wanted[here]) + bases[s]
        return out


def _children(shard: FMIndex, lo: Ints, hi: Ints, tokens: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Children of the entries that this shard has; (0, 0) for the others, whose token it may not know."""
    out_lo, out_hi = np.zeros(len(lo), np.int64), np.zeros(len(lo), np.int64)
    here = counts > 0
    out_lo[here], out_hi[here] = shard.children(lo[here], hi[here], tokens[here], counts[here])
    return out_lo, out_hi


def _first_of_each(beams: Ints, num_beams: int, limit: int | None) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """CSR offsets of sorted beam numbers, and which entries are among the first `limit` of their beam."""
    sizes = np.bincount(beams, minlength=num_beams)
    starts = np.cumsum(sizes) - sizes
    chosen = np.ones(len(beams), np.bool_)
    if limit is not None:
        chosen = np.arange(len(beams)) - starts[beams] < limit
        sizes = np.minimum(sizes, limit)
    offsets = np.zeros(num_beams + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets, chosen


def _without(shard: FMIndex, gone: npt.NDArray[np.bool_], progress: Progress | None) -> FMIndex:
    offsets, tokens = shard.extract_many(np.flatnonzero(~gone))
    return FMIndex.build(
        tokens, offsets, vocab_size=shard.vocab_size, profile=shard.profile, progress=progress
    )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"shard-[0-9a-f]{32}\.fmi", name) is not None


def _check_places(path: Path, shards: Sequence[FMIndex], container: Container) -> None:
    """Refuse shards that are not where they were saved, or not as many documents as were saved."""
    documents = [shard.num_documents for shard in shards]
    stored = container.meta.get("documents") if container.version >= 2 else documents
    if stored != documents or len(container.arrays["removed"]) != sum(documents):
        raise ArtefactError(f"{path}: altered: its shards have not the documents that it counts.")
    for number, shard in enumerate(shards):
        if shard.place != (number if container.version >= 2 else None):
            raise ArtefactError(
                f"{path.parent}: altered: a shard that was saved as number {shard.place} is in place {number}."
            )


def save_shard(shard: FMIndex, place: Path, number: int) -> str:
    """Write a shard into the folder of an index as that of a number, unless it lies there; returns its file's name."""
    if shard.name is not None and shard.place == number and (place / shard.name).exists():
        return shard.name  # it lies there already
    scratch = place / "shard.new"
    shard.save(scratch, place=number)
    # By content: a save that is cut off never overwrites a shard that the old manifest names.
    name = shard_name(file_digest(scratch))
    os.replace(scratch, place / name)
    return name


def open_shard(folder: Path, name: str, mmap: bool = True, verify: Verify = "header") -> FMIndex:
    """A shard that lies in the folder of an index; `mmap`, `verify` and errors as for `FMIndex.load`."""
    shard = FMIndex.load(folder / name, mmap, verify)
    shard.name = name
    return shard


def shard_name(digest: str) -> str:
    """Of a shard's file, by `file_digest`."""
    return f"shard-{digest}.fmi"
