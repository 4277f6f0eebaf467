"""The parts of all shards as one stream of queries in input order, after a check that nothing is missing.

Knows parts and plans; searches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import xxhash

from fm_index.files import foreign
from genret.artefact import file_digest
from genret.batch.batch_plan import BatchPlan, question_bytes
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import FoundQuery, found_queries
from genret.errors import ArtefactError, InputError
from genret.jobs.journal import Journal, read_journal, shard_files
from genret.jobs.resumable import Shard

__all__ = ["Merged", "merge_parts", "read_journals"]

LISTED = 5
MOST_SHARDS = 1 << 20


@dataclass(frozen=True)
class Merged:
    """Complete parts: their plan, and their files by shard."""

    plan: BatchPlan
    files: tuple[Path, ...]

    def __iter__(self) -> Iterator[FoundQuery]:
        """Every query, in the order of the input; memory does not grow with their number.

        Raises:
            ArtefactError: they were not the queries of the plan, when all have been given.
        """
        digest = xxhash.xxh3_128()
        streams = [found_queries(DataFile(path)) if path.stat().st_size else iter(()) for path in self.files]
        for chunk in range(len(self.plan.parts)):
            for found in islice(streams[chunk % len(streams)], len(self.plan.parts.rows(chunk))):
                digest.update(question_bytes(found.question))
                yield found
        if digest.hexdigest() != self.plan.input or any(next(stream, None) is not None for stream in streams):
            raise ArtefactError(
                f"{self.files[0].parent}: damaged: the queries of its parts are not those that were searched; begin "
                "anew with --overwrite."
            )


def merge_parts(folder: Path) -> Merged:
    """Check that every chunk of every shard is there and whole.

    Raises:
        InputError: there are no parts, they are of several jobs, or some are missing or not finished.
        ArtefactError: a part is damaged.
    """
    journals = read_journals(folder)
    if not journals:
        raise InputError(f"{folder}: no part of a batch run there.")
    plan = _one_plan(folder, journals)
    places = [shard_files(folder, Shard(index, plan.shards)) for index in range(plan.shards)]
    _check_complete(folder, plan, [journals.get(journal_path) for _, journal_path in places])
    for path, journal_path in places:
        _check_file(path, journals[journal_path])
    return Merged(plan, tuple(path for path, _ in places))


def read_journals(folder: Path) -> dict[Path, Journal]:
    """The journals of all parts in a folder, by shard."""
    return {path: read_journal(path) for path in sorted(folder.glob("part-*-of-*.json"))}


def _one_plan(folder: Path, journals: dict[Path, Journal]) -> BatchPlan:
    plans = [journal.plan for journal in journals.values()]
    if any(plan != plans[0] for plan in plans):
        raise InputError(
            f"{folder}: holds parts of several jobs; move those that do not belong here: "
            f"{', '.join(path.name for path in list(journals)[:LISTED])}."
        )
    with foreign(folder, "a plan"):
        plan = BatchPlan(**plans[0])
        least = ((plan.queries, 0), (plan.chunk, 1), (plan.shards, 1), (plan.k, 1))
        if not all(type(count) is int and count >= bound for count, bound in least):
            raise ValueError("a count in it is none")
        if plan.shards > MOST_SHARDS or not isinstance(plan.input, str):
            raise ValueError("it has too many shards, or no input")
        if not isinstance(plan.where, str | None):
            raise ValueError("its condition is no text")
    for path, journal in journals.items():
        if path != shard_files(folder, Shard(journal.shard % plan.shards, plan.shards))[1]:
            raise ArtefactError(f"{path}: damaged: it is the journal of shard {journal.shard}.")
    return plan


def _check_complete(folder: Path, plan: BatchPlan, journals: list[Journal | None]) -> None:
    done = ["none" if one is None else f"{one.parts:,}" for one in journals]
    lacking = [
        f"shard {index}/{plan.shards} has {done[index]} of {len(plan.parts.of(Shard(index, plan.shards))):,} chunks"
        for index, one in enumerate(journals)
        if one is None or one.parts < len(plan.parts.of(Shard(index, plan.shards)))
    ]
    if lacking:
        listed = "; ".join(lacking[:LISTED]) + ("; ..." if len(lacking) > LISTED else "")
        raise InputError(f"{folder}: not complete: {listed}. Run these shards with --resume.")


def _check_file(path: Path, journal: Journal) -> None:
    if not path.is_file() or path.stat().st_size != journal.bytes or file_digest(path) != journal.xxh3_128:
        raise ArtefactError(
            f"{path}: damaged or missing: expected {journal.bytes:,} bytes as its journal counts them; run this "
            "shard again with --overwrite."
        )
