"""The parts of a job in its folder, each a file that says itself that it is whole, and of which plan.

Knows bytes, plans and positions; knows nothing of what the bytes mean, nor who writes which part. A part's file
appears at once, by a rename, so that a part is there or is not, whenever a process was killed; its last line, the
seal, has the plan's fingerprint, the part's number, and length and checksum of what stands before it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import xxhash

from fm_index.files import atomic_writer, foreign, open_regular, read_json, strict_json
from genret.errors import InputError
from genret.jobs.alone import alone
from genret.jobs.resumable import PLAN, Parts, begin, check_same, fingerprint, read_plan
from genret.jobs.shards import WHOLE, Shard

__all__ = ["Ledger"]

CHECKSUM = "xxh3_128"
LISTED = 5


class Ledger:
    """What is done of the job in `folder`; `begin` makes one.

    Attributes:
        plan: what the parts depend on, as plain JSON values.
        parts: which positions each has.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], parts: Parts) -> None:
        self.folder, self.plan, self.parts = folder, dict(plan), parts

    @classmethod
    def begin(cls, folder: Path, plan: Mapping[str, Any], parts: Parts, *, otherwise: str) -> Ledger:
        """Begin a job in a folder, or go on with it; see `genret.jobs.resumable.begin`."""
        begin(folder, plan, otherwise=otherwise)
        return cls(folder, plan, parts)

    def check_here(self) -> None:
        """See that this process finds the job's folder where the one that began it does.

        Raises:
            InputError: there is no plan, or that of another job.
        """
        if not (self.folder / PLAN).is_file():
            raise InputError(
                f"{self.folder}: a worker sees no {PLAN} there; the folder must be on storage that all machines of "
                "the job have under this name."
            )
        check_same(read_plan(self.folder), self.plan, self.folder, otherwise="all workers need one folder")

    def path(self, part: int) -> Path:
        """A part's file."""
        return self.folder / f"part-{part:06d}.jsonl"

    def is_done(self, part: int) -> bool:
        """Whether a part was written."""
        return self.path(part).exists()

    def missing(self, share: Shard = WHOLE) -> list[int]:
        """The parts of a share that are not written yet, ascending."""
        names = set(os.listdir(self.folder))
        return [part for part in self.parts.of(share) if self.path(part).name not in names]

    def alone(self, share: Shard) -> AbstractContextManager[None]:
        """Inside, no other process works on the same share.

        Raises:
            InputError: one does.
        """
        return alone(self.folder / f"share-{share.index}-of-{share.count}.lock", wait=False)

    def write(self, part: int, data: bytes) -> None:
        """Write a part, whole or not at all."""
        seal = {
            "plan": fingerprint(self.plan),
            "part": part,
            "bytes": len(data),
            CHECKSUM: xxhash.xxh3_128_hexdigest(data),
        }
        # The seal begins on a line of its own whatever stands before it.
        end = b"" if data.endswith(b"\n") or not data else b"\n"
        with atomic_writer(self.path(part)) as file:
            file.writelines((data, end, json.dumps(seal).encode(), b"\n"))

    def read(self, part: int) -> bytes:
        """What was written as a part.

        Raises:
            ArtefactError: it is missing, damaged, or of another plan; removed, it is written again.
        """
        path = self.path(part)
        with foreign(path, "a part of a job"), open_regular(path) as file:
            content = file.read()
            begin = content.rfind(b"\n", 0, len(content) - 1) + 1
            seal = strict_json(content[begin:])
            if CHECKSUM not in seal and "fingerprint" not in read_json(self.folder / PLAN):
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
                f"{self.folder}: not complete: {len(missing):,} of {len(self.parts):,} parts are missing ({listed}); "
                "run the job on them first."
            )

    def __iter__(self) -> Iterator[bytes]:
        """What was written as each part, in order.

        Raises:
            InputError: parts are missing. ArtefactError: as `read`.
        """
        self.check_complete()
        return map(self.read, range(len(self.parts)))
