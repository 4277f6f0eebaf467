"""Queries as sources: labelled ones, and synthetic ones from a file."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from docid.strings import Strings
from genret.corpus.formats.datafile import data_file, show
from genret.corpus.formats.records import records
from genret.corpus.store import StringColumn
from genret.errors import InputError
from genret.training.examples.sources.base import Computed, Material, Pair, Source

__all__ = ["Labelled", "SyntheticQueries"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled(Source):
    """Query to relevant passage, one for each judgement above zero (DSI's retrieval task, Tay et al. 2022, 3.1).

    A training query that is an evaluation query too is left out, with a warning.
    """

    name: ClassVar[str] = "labelled"

    def open(self, material: Material) -> Sequence[Pair]:
        pairs = []
        for query_id, grades in material.judgements.items():
            if query_id not in material.queries:
                raise InputError(f"judgement for query {query_id!r}, which the queries do not hold.")
            text = material.queries[query_id]
            if text in material.evaluation:
                _log.warning("query %r is an evaluation query too (%r); it is left out.", query_id, text)
                continue
            rows = (material.passages.row(passage_id) for passage_id, grade in grades.items() if grade > 0)
            pairs += [Pair(text, (row,)) for row in rows]
        return pairs


@dataclass(frozen=True)
class SyntheticQueries(Source):
    """Queries that a model wrote for each passage ("D2Q": Pradeep et al. 2023, section 3.2; DSI-QG, Zhuang 2022).

    Attributes:
        path: JSON lines with `passage_id` and `text`, as `genret queries generate` writes them.
        uncovered_only: leave out passages that a training query leads to already.
        partial: the corpus may lack passages that the file has queries for, as a sample of it does; they are left
            out. Otherwise one is an error.

    A synthetic query that happens to be an evaluation query is left out.
    """

    name: ClassVar[str] = "d2q"
    path: str = ""
    uncovered_only: bool = False
    partial: bool = False

    def open(self, material: Material) -> Sequence[Pair]:
        file = data_file(self.path) if self.path else None
        if file is None:
            raise InputError("source 'd2q' needs `path`, a file that `genret queries generate` wrote.")
        covered = _covered(material) if self.uncovered_only else frozenset()
        column, rows = StringColumn(), array("q")
        for record in records(file):
            passage_id = record.identifier("passage_id")
            row = material.row(passage_id)
            if row is None and self.partial:
                continue
            if row is None:
                raise record.problem("passage_id", f"{show(passage_id)} is not in the corpus.")
            text = record.text("text")
            if row not in covered and text not in material.evaluation:
                column.append(text)
                rows.append(row)
        data, offsets = column.finish()
        texts, documents = Strings(data, offsets), np.frombuffer(rows, np.int64)
        return Computed(len(texts), lambda place: Pair(texts[place], (int(documents[place]),)))


def _covered(material: Material) -> frozenset[int]:
    return frozenset(
        material.passages.row(passage_id)
        for grades in material.judgements.values()
        for passage_id, grade in grades.items()
        if grade > 0
    )
