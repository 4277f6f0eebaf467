"""Checks a whole index against its own text: every document is walked through the rows, all in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fm_index.container import ArtefactError

if TYPE_CHECKING:
    from fm_index.index import FMIndex

__all__ = ["check_rows"]

BATCH = 1 << 12


def check_rows(index: FMIndex) -> None:
    """Raise ArtefactError unless text, ranks, positions and documents agree."""
    for begin in range(0, index.num_documents, BATCH):
        documents = np.arange(begin, min(begin + BATCH, index.num_documents), dtype=np.int64)
        _check_documents(index, documents)


def _check_documents(index: FMIndex, documents: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    offsets, tokens = index.extract_many(documents)
    rows, starts = documents.copy(), index.locate(documents) + 1
    lengths = np.diff(offsets)
    for place in range(int(lengths.max(initial=0))):
        alive = lengths > place
        rows, starts, documents, lengths = rows[alive], starts[alive], documents[alive], lengths[alive]
        offsets = offsets[:-1][alive] if len(offsets) > len(alive) else offsets[alive]
        lo, hi = index.step(rows, rows + 1, tokens[offsets + place])
        if not np.array_equal(hi, lo + 1):
            raise ArtefactError(f"altered: token {place} of a document is not where its rows lead.")
        if not np.array_equal(index.locate(lo), starts + place):
            raise ArtefactError(f"altered: the position of token {place} of a document is wrong.")
        if not np.array_equal(index.documents_of(lo), documents):
            raise ArtefactError(f"altered: the document of token {place} of a document is wrong.")
        rows = lo
