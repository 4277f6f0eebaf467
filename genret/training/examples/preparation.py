"""Examples of every source, tokenised into packed shards, each a part of a job.

Knows examples, tokenizers and files; knows no model. A shard holds the same bytes whoever writes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from docid import DocidTable
from genret.artefact import file_digest, publish_folder, refuse_existing
from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place
from genret.training.examples.example import Example
from genret.training.examples.packed import DOCIDS, KIND, VERSION, shard_path, write_shard

__all__ = ["Readings", "prepare_examples"]

SHARD_EXAMPLES = 1 << 16
BATCH = 1024

Tokenise = Callable[[list[str]], list[list[int]]]


class Readings(NamedTuple):
    """What is prepared.

    Attributes:
        sources: examples by source, each computed when asked for.
        tokenise: texts to source tokens, special ones included, truncated.
        table: the docids of the targets, bound.
    """

    sources: Mapping[str, Sequence[Example]]
    tokenise: Tokenise
    table: DocidTable


def prepare_examples(
    read: Callable[[], Readings],
    output: str | os.PathLike[str],
    meta: Mapping[str, Any],
    executor: Executor = HERE,
    *,
    parts: Place | None = None,
    shard_examples: int = SHARD_EXAMPLES,
) -> dict[str, Any] | None:
    """Write the folder that `PackedExamples` reads; return its metadata, or None where parts are left to others.

    Parts are in `parts` (None: `OUTPUT.parts`) until the folder is there; a killed preparation goes on.

    Args:
        read: gives what is prepared; processes that share the work are sent it.
        meta: what the examples depend on, JSON-able; a preparation goes on only where it is the same.

    Raises:
        InputError: `output` exists, or a preparation with other settings was begun there.
    """
    refuse_existing(output)
    sources, _, table = read()
    sizes = {name: len(rows) for name, rows in sources.items()}
    meta = {**meta, "sizes": sizes, "shard_examples": shard_examples}
    shards = _shards(sizes, shard_examples)
    ledger = Ledger.begin(
        parts or f"{os.fspath(output)}.parts",
        {**meta, DOCIDS: _digest(table)},
        Parts(len(shards), 1),
        otherwise="remove that folder to begin anew",
    )
    executor.run(Job(ledger, _Prepare(read, tuple(shards)), "preparing", "shards"))
    if ledger.missing():
        return None
    with publish_folder(output, kind=KIND, version=VERSION, meta=meta) as folder:
        table.save(folder / DOCIDS)
        for (name, number, _), data in zip(shards, ledger, strict=True):
            path = shard_path(folder, name, number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    ledger.clear()
    return dict(meta)


def _shards(sizes: Mapping[str, int], width: int) -> list[tuple[str, int, range]]:
    """Every shard by its source, its number there, and the rows that it holds."""
    parts = {name: Parts(size, width) for name, size in sizes.items()}
    return [(name, number, own.rows(number)) for name, own in parts.items() for number in range(len(own))]


def _digest(table: DocidTable) -> str:
    with TemporaryDirectory() as scratch:
        table.save(Path(scratch) / DOCIDS)
        return file_digest(Path(scratch) / DOCIDS)


@dataclass(frozen=True)
class _Prepare:
    """What the workers do: the bytes of a part are the file of a shard."""

    read: Callable[[], Readings]
    shards: tuple[tuple[str, int, range], ...]

    def __call__(self) -> Work:
        found = self.read()

        def work(part: int, advance: Advance) -> bytes:
            name, _, rows = self.shards[part]
            with TemporaryDirectory() as scratch:
                path = Path(scratch) / name
                _write(path, name, rows, found)
                advance(1)
                return path.read_bytes()

        return work


def _write(path: Path, name: str, rows: range, found: Readings) -> None:
    examples = found.sources[name]
    sources: list[list[int]] = []
    targets: list[tuple[int, ...]] = []
    documents: list[int] = []
    for first in range(rows.start, rows.stop, BATCH):
        batch = [examples[row] for row in range(first, min(first + BATCH, rows.stop))]
        sources += found.tokenise([example.source for example in batch])
        targets += [example.target for example in batch]
        documents += [example.document for example in batch]
    write_shard(path, sources, targets, documents, {"source": name, "rows": [rows.start, rows.stop]})
