"""A quantiser's codes for all documents, as a job in parts: learned in one place, then given part by part.

Knows vectors in a file, and strategies whose docids are codes; collisions are settled by the strategy, over all codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from docid.quantisers.kmeans import BATCH
from docid.ragged import IntArray
from docid.strategies import DocumentFields, Strategy
from docid.strategies.residual import Quantised
from genret.artefact import file_digest
from genret.docids.make import fit
from genret.docids.strategies import open_strategy
from genret.errors import InputError, UsageError
from genret.jobs.job import Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts
from genret.jobs.storage import Place, storage_of
from genret.vectors.npy_files import read_vectors

__all__ = ["codes_in_parts"]

# Whole batches of the quantiser, so that its sums are those of one pass over all rows.
PART_ROWS = 8 * BATCH
FITTED = "fitted.strategy"


def codes_in_parts(
    strategy: Strategy, vectors: Path | None, documents: int, place: Place, executor: Executor
) -> IntArray | None:
    """The codes of all documents, int32 [documents, levels]; None where parts are left to others. Fits the strategy.

    Args:
        vectors: a .npy file, a row a document.
        place: of the job, a folder or a URL; processes that share the work need it, and the vectors, under one name.
            Where there are no locks each that comes before the quantiser is there learns it, to the same bytes.

    Raises:
        UsageError: the strategy's docids are no codes, or no file of vectors is named.
        InputError: the vectors are not of these documents, or another job was begun there.
    """
    if not isinstance(strategy, Quantised) or vectors is None:
        raise UsageError(
            "docids are made in parts where they are a quantiser's codes (residual, product, rqvae) of vectors in a "
            "file: write them with `genret embed`, which works in parts too, and name it with --embeddings."
        )
    matrix = read_vectors(vectors)
    if len(matrix) != documents:
        raise InputError(
            f"{vectors}: found {len(matrix)} rows, expected one for each of {documents} documents."
        )
    plan = {"strategy": strategy.name, "options": asdict(strategy), "vectors": file_digest(vectors)}
    ledger = Ledger.begin(
        place, plan, Parts(documents, PART_ROWS), otherwise="remove that folder, or name another output"
    )
    storage = ledger.storage
    with storage.alone("fitting.lock", wait=True):
        if FITTED not in storage.names():
            fit(strategy, DocumentFields(documents, embeddings=matrix))
            storage.put(FITTED, strategy.save)
    strategy.state = open_strategy(storage.local(FITTED)).state
    executor.run(Job(ledger, _Quantise(place, vectors, ledger.parts), "quantising", "documents"))
    if ledger.missing():
        return None
    return np.frombuffer(b"".join(ledger), "<i4").reshape(documents, strategy.levels)


@dataclass(frozen=True)
class _Quantise:
    """What the workers do."""

    place: Place
    vectors: Path
    parts: Parts

    def __call__(self) -> Work:
        fitted = storage_of(self.place).local(FITTED)
        strategy, vectors = open_strategy(fitted), read_vectors(self.vectors)
        assert isinstance(strategy, Quantised)

        def work(part: int, advance: Callable[[int], None]) -> bytes:
            rows = self.parts.rows(part)
            codes = strategy.encode(strategy.inputs(vectors[rows.start : rows.stop]))
            advance(len(rows))
            return codes.astype("<i4").tobytes()

        return work
