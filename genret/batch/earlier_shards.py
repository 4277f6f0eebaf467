"""What versions wrote that kept one file a shard, as parts of today: taken over once, and then gone.

A shard's file had the lines of every `count`-th chunk, and a journal beside it the plan and how much of the file is good.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import BinaryIO

import xxhash

from fm_index.files import foreign, open_regular, read_json
from genret.batch.batch_plan import BatchPlan
from genret.errors import ArtefactError
from genret.jobs.alone import alone
from genret.jobs.ledger import Ledger
from genret.jobs.shards import Shard
from genret.jobs.storage import Place, is_url

__all__ = ["adopt_shards"]

# 2: parts where 1 said chunks.
JOURNAL_VERSION = 2
JOURNALS = "part-*-of-*.json"
BLOCK = 1 << 22


def adopt_shards(place: Place) -> None:
    """Make parts of all shards' files in a folder; no version wrote them elsewhere.

    Raises:
        InputError: they are of several jobs. ArtefactError: one is damaged.
    """
    folder = Path(place)
    if is_url(place) or not any(folder.glob(JOURNALS)):
        return
    with alone(folder / "adopting.lock", wait=True):
        for path in sorted(folder.glob(JOURNALS)):
            _adopt(path)


def _adopt(path: Path) -> None:
    with foreign(path, "a journal of a batch run"):
        journal = read_json(path)
        if journal["version"] > JOURNAL_VERSION:
            raise ArtefactError(
                f"{path}: in format {journal['version']}, this version reads up to {JOURNAL_VERSION}."
            )
        done = journal["chunks" if journal["version"] == 1 else "parts"]
        shard, size, checksum = journal["shard"], journal["bytes"], journal["xxh3_128"]
        if not all(type(count) is int and count >= 0 for count in (done, shard, size)):
            raise ValueError("a count in it is none")
        plan, count = BatchPlan.of(journal["plan"], path), journal["plan"]["shards"]
        wanted = plan.parts.of(Shard(shard, count))[:done]
        if path.name != f"part-{shard:05}-of-{count:05}.json" or len(wanted) < done:
            raise ValueError("it is the journal of another shard")
    data = path.with_suffix(".jsonl")
    ledger = Ledger.begin(
        folder := path.parent, plan.json(), plan.parts, otherwise=f"move {data.name} elsewhere"
    )
    with foreign(folder, "a shard of a batch run"), open_regular(data) as file:
        if _digest(file, size) != checksum:
            raise ArtefactError(
                f"{data}: damaged: its first {size:,} bytes are not those that its journal counts; remove "
                "both to search its queries again."
            )
        file.seek(0)
        for part in wanted:
            ledger.write(part, b"".join(islice(file, len(plan.parts.rows(part)))))
    path.unlink()
    data.unlink()


def _digest(file: BinaryIO, left: int) -> str:
    digest = xxhash.xxh3_128()
    while left and (data := file.read(min(left, BLOCK))):
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()
