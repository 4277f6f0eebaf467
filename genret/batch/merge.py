"""The parts of a batch run as one stream of queries in input order, after a check that nothing is missing.

Knows parts and plans; searches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from fm_index.files import foreign
from genret.batch.batch_plan import BatchPlan, question_bytes
from genret.batch.earlier_shards import adopt_shards
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.found import FoundQuery, found_of_line
from genret.errors import ArtefactError, InputError
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import PLAN, read_plan
from genret.jobs.storage import Place, storage_of

__all__ = ["Merged", "merge_parts"]


@dataclass(frozen=True)
class Merged:
    """Complete parts, and their plan."""

    plan: BatchPlan
    ledger: Ledger

    def __iter__(self) -> Iterator[FoundQuery]:
        """Every query, in the order of the input; memory does not grow with their number.

        Raises:
            ArtefactError: a part is damaged; or they were not the queries of the plan, when all have been given.
        """
        digest = xxhash.xxh3_128()
        for part, data in enumerate(self.ledger):
            for found in self._found(DataFile(Path(self.ledger.where(part))), data):
                digest.update(question_bytes(found.question))
                yield found
        if digest.hexdigest() != self.plan.input:
            raise ArtefactError(
                f"{self.ledger.place}: damaged: the queries of its parts are not those that were searched; begin "
                "anew with --overwrite."
            )

    @staticmethod
    def _found(file: DataFile, data: bytes) -> list[FoundQuery]:
        with foreign(file.path, "a part of a batch run"):
            lines = enumerate(data.splitlines(), start=1)
            return [found_of_line(file, number, line.decode()) for number, line in lines]


def merge_parts(place: Place) -> Merged:
    """Check that every part is there; each is checked as it is read.

    Raises:
        InputError: there are no parts, they are of several jobs, or some are missing.
        ArtefactError: the plan is damaged.
    """
    adopt_shards(place)
    storage = storage_of(place)
    if PLAN not in storage.names():
        raise InputError(f"{place}: no part of a batch run there.")
    plan = BatchPlan.of(read_plan(place), storage.where(PLAN))
    ledger = Ledger(place, plan.json(), plan.parts)
    ledger.check_complete()
    return Merged(plan, ledger)
