"""The file that a shard appends its results to, part by part, and goes on with after a kill.

Knows byte counts and checksums; knows nothing of what the bytes mean. A journal beside the file, replaced as a
whole after each part, says how many parts and bytes are good: what a killed process wrote beyond that is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import xxhash

from fm_index.files import atomic_writer, foreign, open_for_update, read_json
from genret.errors import ArtefactError, InputError
from genret.jobs.resumable import Shard, check_same

__all__ = ["GO_ON", "Journal", "ShardFile", "read_journal", "shard_files"]

# 2: parts where 1 said chunks.
VERSION = 2
BLOCK = 1 << 22
GO_ON = "go on with that one, or pass --overwrite to begin anew"


@dataclass(frozen=True)
class Journal:
    """How far a shard is.

    Attributes:
        plan: of the job.
        shard: which one this is.
        parts: parts that are whole in the file.
        bytes, xxh3_128: length and checksum of them.
    """

    plan: dict[str, Any]
    shard: int
    parts: int
    bytes: int
    xxh3_128: str


def shard_files(folder: Path, shard: Shard) -> tuple[Path, Path]:
    """A shard's file and its journal."""
    name = f"part-{shard.index:05}-of-{shard.count:05}"
    return folder / f"{name}.jsonl", folder / f"{name}.json"


def read_journal(path: Path) -> Journal:
    """A stored journal.

    Raises:
        ArtefactError: it is damaged, or newer than this library.
    """
    with foreign(path, "a journal of a job"):
        content = read_json(path)
        version = content.pop("version")
        if version > VERSION:
            raise ArtefactError(f"{path}: in format {version}, this version reads up to {VERSION}.")
        if version == 1:
            content["parts"] = content.pop("chunks")
        journal = Journal(**content)
        counts = (journal.shard, journal.parts, journal.bytes)
        if not all(type(count) is int and count >= 0 for count in counts) or not isinstance(
            journal.plan, dict
        ):
            raise ValueError("a count in it is none")
        return journal


class ShardFile:
    """A shard's file, open for appending; `open` makes one."""

    def __init__(self, file: BinaryIO, journal_path: Path, journal: Journal, digest: xxhash.xxh3_128) -> None:
        self._file, self._path, self._digest = file, journal_path, digest
        self.journal = journal

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, plan: Mapping[str, Any], shard: Shard, *, resume: bool
    ) -> Iterator[ShardFile]:
        """Begin a shard, or with `resume` go on with one where there is one.

        Raises:
            InputError: another process writes it, or it belongs to another plan.
            ArtefactError: the file is damaged.
        """
        path, journal_path = shard_files(folder, shard)
        with open_for_update(path) as file:
            _lock(file, path)
            if not (resume and journal_path.exists()):
                _store(journal_path, Journal(dict(plan), shard.index, 0, 0, xxhash.xxh3_128().hexdigest()))
            journal = read_journal(journal_path)
            check_same(journal.plan, plan, folder, otherwise=GO_ON)
            digest = _checked(file, path, journal)
            file.truncate(journal.bytes)
            file.seek(journal.bytes)
            yield cls(file, journal_path, journal, digest)

    def append(self, data: bytes) -> None:
        """Add one part: its bytes reach the disk first, then the journal that counts them."""
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._digest.update(data)
        now = self.journal
        self.journal = Journal(
            now.plan, now.shard, now.parts + 1, now.bytes + len(data), self._digest.hexdigest()
        )
        _store(self._path, self.journal)


def _lock(file: BinaryIO, path: Path) -> None:
    """Until the file is closed, or its process dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"{path}: another process is writing it; wait for it, or end it.") from error


def _store(path: Path, journal: Journal) -> None:
    with atomic_writer(path) as file:
        file.write(json.dumps({"version": VERSION, **vars(journal)}).encode())


def _checked(file: BinaryIO, path: Path, journal: Journal) -> xxhash.xxh3_128:
    """The running checksum of what the journal counts, which must agree with it."""
    digest, left = xxhash.xxh3_128(), journal.bytes
    while left and (data := file.read(min(left, BLOCK))):
        digest.update(data)
        left -= len(data)
    if left or digest.hexdigest() != journal.xxh3_128:
        raise ArtefactError(
            f"{path}: damaged: its first {journal.bytes:,} bytes are not those that its journal counts; pass "
            "--overwrite to begin anew."
        )
    return digest
