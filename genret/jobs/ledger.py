"""The parts of a job at its place, each a file that says itself that it is whole, and of which plan.

Knows bytes, plans and positions; knows nothing of what the bytes mean, nor who writes which part. In a folder a part's
file appears at once, by a rename, so that a part is there or is not, whenever a process was killed; its last line, the
seal, has the plan's fingerprint, the part's number, and length and checksum of what stands before it. Where there is
no rename (`genret.jobs.storage`) a part is there when its seal is: a file without one, or with fewer bytes before it
than it says, is written again. Two writers of one part write the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import xxhash

from fm_index.files import foreign, strict_json
from genret.errors import InputError
from genret.jobs.resumable import PLAN, Parts, begin, check_same, fingerprint, read_plan
from genret.jobs.shards import WHOLE, Shard
from genret.jobs.storage import Place, storage_of

__all__ = ["Ledger"]

CHECKSUM = "xxh3_128"
LISTED = 5
# No seal is longer, in bytes.
MOST_SEAL = 256


class Ledger:
    """What is done of the job at a place; `begin` makes one.

    Attributes:
        place: a folder, or a URL (`genret.jobs.storage`).
        plan: what the parts depend on, as plain JSON values.
        parts: which positions each has.
    """

    def __init__(self, place: Place, plan: Mapping[str, Any], parts: Parts) -> None:
        self.place, self.plan, self.parts = place, dict(plan), parts
        self.storage = storage_of(place)

    @classmethod
    def begin(cls, place: Place, plan: Mapping[str, Any], parts: Parts, *, otherwise: str) -> Ledger:
        """Begin a job at a place, or go on with it; see `genret.jobs.resumable.begin`."""
        begin(place, plan, otherwise=otherwise)
        return cls(place, plan, parts)

    def check_here(self) -> None:
        """See that this process finds the job's place where the one that began it does.

        Raises:
            InputError: there is no plan, or that of another job.
        """
        if PLAN not in self.storage.names():
            raise InputError(
                f"{self.place}: a worker sees no {PLAN} there; the folder must be on storage that all machines of "
                "the job have under this name."
            )
        check_same(read_plan(self.place), self.plan, self.place, otherwise="all workers need one folder")

    def where(self, part: int) -> str:
        """A part's file, for people."""
        return self.storage.where(self.name(part))

    @staticmethod
    def name(part: int) -> str:
        """Of a part's file."""
        return f"part-{part:06d}.jsonl"

    def is_done(self, part: int) -> bool:
        """Whether a part was written."""
        return self._is_whole(part, self.storage.names())

    def missing(self, share: Shard = WHOLE) -> list[int]:
        """The parts of a share that are not written yet, ascending."""
        names = self.storage.names()
        return [part for part in self.parts.of(share) if not self._is_whole(part, names)]

    def _is_whole(self, part: int, names: set[str]) -> bool:
        """By its name, or where that says too little by its last line: a seal, and of as many bytes as stand before it."""
        name = self.name(part)
        if name not in names or self.storage.at_once:
            return name in names
        end, size = self.storage.ending(name, MOST_SEAL)
        line = end.rstrip(b"\n").rpartition(b"\n")[2]
        try:
            sealed = strict_json(line)["bytes"]
        except (ValueError, KeyError, TypeError):
            return False
        # What stands before it may have been given a line's end.
        return end.endswith(b"\n") and size - len(line) - 1 - sealed in (0, 1)

    def alone(self, share: Shard) -> AbstractContextManager[None]:
        """Inside, no other process works on the same share, where the storage has locks.

        Raises:
            InputError: one does.
        """
        return self.storage.alone(f"share-{share.index}-of-{share.count}.lock", wait=False)

    def write(self, part: int, data: bytes) -> None:
        """Write a part, whole or so that it is seen not to be."""
        seal = {
            "plan": fingerprint(self.plan),
            "part": part,
            "bytes": len(data),
            CHECKSUM: xxhash.xxh3_128_hexdigest(data),
        }
        # The seal begins on a line of its own whatever stands before it.
        end = b"" if data.endswith(b"\n") or not data else b"\n"
        self.storage.write(self.name(part), (data, end, json.dumps(seal).encode(), b"\n"))

    def remove(self, part: int) -> None:
        """Remove a part: it is done again."""
        self.storage.remove(self.name(part))

    def clear(self) -> None:
        """Remove the job, plan and all."""
        self.storage.clear()

    def read(self, part: int) -> bytes:
        """What was written as a part.

        Raises:
            ArtefactError: it is missing, damaged, or of another plan; removed, it is written again.
        """
        with foreign(self.where(part), "a part of a job"):
            content = self.storage.read(self.name(part))
            begin = content.rfind(b"\n", 0, len(content) - 1) + 1
            seal = strict_json(content[begin:])
            if CHECKSUM not in seal and "fingerprint" not in strict_json(self.storage.read(PLAN)):
                # So were parts, and the plan beside them, before either had a checksum.
                return content
            return self._unsealed(content, begin, part, seal)

    def _unsealed(self, content: bytes, begin: int, part: int, seal: Mapping[str, Any]) -> bytes:
        data = content[: seal.get("bytes", begin)]
        if seal[CHECKSUM] != xxhash.xxh3_128_hexdigest(data):
            raise ValueError("its checksum does not match")
        if seal.get("part", part) != part or seal.get("plan", fingerprint(self.plan)) != fingerprint(
            self.plan
        ):
            raise ValueError("it is a part of another job, or another part of this one")
        return data

    def check_complete(self) -> None:
        """See that every part is there.

        Raises:
            InputError: parts are missing.
        """
        if missing := self.missing():
            listed = ", ".join(map(str, missing[:LISTED])) + (", ..." if len(missing) > LISTED else "")
            raise InputError(
                f"{self.place}: not complete: {len(missing):,} of {len(self.parts):,} parts are missing ({listed}); "
                "run the job on them first."
            )

    def __iter__(self) -> Iterator[bytes]:
        """What was written as each part, in order.

        Raises:
            InputError: parts are missing. ArtefactError: as `read`.
        """
        self.check_complete()
        return map(self.read, range(len(self.parts)))
