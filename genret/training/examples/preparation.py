"""Examples of every source, tokenised by worker processes into packed shards.

Knows examples, tokenizers and files; knows no model. Shard i of a source holds the same bytes whatever the number of
workers; one that is there already is kept, so a preparation that was killed goes on where it was.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docid import DocidTable
from genret.artefact import seal_folder
from genret.errors import ArtefactError, InputError
from genret.jobs.progress import progress
from genret.jobs.resumable import PLAN, Parts, begin
from genret.training.examples.example import Example
from genret.training.examples.packed import DOCIDS, KIND, VERSION, read_shard, shard_path, write_shard

__all__ = ["prepare_examples"]

SHARD_EXAMPLES = 1 << 16
BATCH = 1024

Tokenise = Callable[[list[str]], list[list[int]]]


def prepare_examples(
    sources: Mapping[str, Sequence[Example]],
    tokenise: Tokenise,
    table: DocidTable,
    output: str | os.PathLike[str],
    meta: Mapping[str, Any],
    *,
    workers: int = 1,
    shard_examples: int = SHARD_EXAMPLES,
) -> dict[str, Any]:
    """Write the folder that `PackedExamples` reads; return its metadata.

    Args:
        sources: examples by source, each computed when asked for.
        tokenise: texts to source tokens, special ones included, truncated.
        table: the docids of the targets, bound.
        meta: what the examples depend on, JSON-able; a preparation goes on only where it is the same.
        workers: processes beside this one; 1 works in this one.

    Raises:
        InputError: `output` exists, or a preparation with other settings was begun there.
    """
    place = Path(output).absolute()
    if place.exists():
        raise InputError(f"{output} exists already; choose another name, or remove it.")
    sizes = {name: len(rows) for name, rows in sources.items()}
    meta = {**meta, "sizes": sizes, "shard_examples": shard_examples}
    scratch = place.with_name(f".{place.name}.preparing")
    begin(scratch, meta, otherwise="remove that folder to begin anew")
    table.save(scratch / DOCIDS)
    parts = {name: Parts(size, shard_examples) for name, size in sizes.items()}
    _make_shards(_Work(sources, tokenise, scratch, parts), workers)
    (scratch / PLAN).unlink()
    seal_folder(scratch, kind=KIND, version=VERSION, meta=meta)
    os.rename(scratch, place)
    return dict(meta)


class _Work:
    """Makes one shard; workers inherit it."""

    def __init__(
        self,
        sources: Mapping[str, Sequence[Example]],
        tokenise: Tokenise,
        folder: Path,
        parts: Mapping[str, Parts],
    ) -> None:
        self.sources, self.tokenise, self.folder, self.parts = sources, tokenise, folder, parts

    def __call__(self, job: tuple[str, int]) -> int:
        name, number = job
        rows = self.parts[name].rows(number)
        path = shard_path(self.folder, name, number)
        if not _is_there(path, name, rows):
            path.parent.mkdir(exist_ok=True)
            self._write(path, name, rows)
        return len(rows)

    def _write(self, path: Path, name: str, rows: range) -> None:
        examples = self.sources[name]
        sources: list[list[int]] = []
        targets: list[tuple[int, ...]] = []
        documents: list[int] = []
        for first in range(rows.start, rows.stop, BATCH):
            batch = [examples[row] for row in range(first, min(first + BATCH, rows.stop))]
            sources += self.tokenise([example.source for example in batch])
            targets += [example.target for example in batch]
            documents += [example.document for example in batch]
        write_shard(path, sources, targets, documents, {"source": name, "rows": [rows.start, rows.stop]})


def _make_shards(work: _Work, workers: int) -> None:
    jobs = [(name, number) for name, parts in work.parts.items() for number in range(len(parts))]
    total = sum(parts.total for parts in work.parts.values())
    with progress(total, "preparing", "examples") as report, _mapped(work, workers) as run:
        for done in run(jobs):
            report.advance(done)


def _is_there(path: Path, name: str, rows: range) -> bool:
    """Whether a shard was finished; a damaged file is written again."""
    try:
        read_shard(path, name, rows)
    except ArtefactError:
        return False
    return True


# What forked workers find; set for the time of the fork only.
_inherited: list[_Work] = []


def _run_inherited(job: tuple[str, int]) -> int:
    return _inherited[-1](job)


@contextmanager
def _mapped(work: _Work, workers: int) -> Iterator[Callable[[Sequence[tuple[str, int]]], Iterator[int]]]:
    """A map over jobs: here, or in forked workers, which share the corpus and its docids with this process."""
    if workers == 1:
        yield lambda jobs: map(work, jobs)
        return
    _inherited.append(work)
    try:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            yield lambda jobs: pool.imap_unordered(_run_inherited, jobs)
    finally:
        _inherited.pop()
