"""Queries as sources: labelled ones, and synthetic ones from a file."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import ClassVar

import numpy as np

from docid.strings import Strings
from genret.corpus.formats.datafile import DataFile, data_file, show
from genret.corpus.formats.records import records
from genret.corpus.spool import StringColumn
from genret.errors import InputError
from genret.training.examples.sources.source import Computed, Material, Pair, Source

__all__ = ["Labelled", "SyntheticQueries", "labelled_queries"]


@dataclass(frozen=True)
class Labelled(Source):
    """Query to relevant passage, one for each judgement above zero (DSI's retrieval task, Tay et al. 2022, 3.1).

    A training query that is an evaluation query too is left out.
    """

    name: ClassVar[str] = "labelled"

    def open(self, material: Material) -> Sequence[Pair]:
        return [Pair(text, (row,)) for text, row in labelled_queries(material, self.name)]


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
        asked = material.evaluation.others(self._asked(file, material), itemgetter(1), self.name)
        for row, text in asked:
            if row not in covered:
                column.append(text)
                rows.append(row)
        data, offsets = column.finish()
        texts, documents = Strings(data, offsets), np.frombuffer(rows, np.int64)
        return Computed(len(texts), lambda place: Pair(texts[place], (int(documents[place]),)))

    def _asked(self, file: DataFile, material: Material) -> Iterator[tuple[int, str]]:
        """The file's passages and queries, as far as the corpus has them."""
        for record in records(file):
            passage_id = record.identifier("passage_id")
            row = material.row(passage_id)
            if row is None and self.partial:
                continue
            if row is None:
                raise record.problem("passage_id", f"{show(passage_id)} is not in the corpus.")
            yield row, record.text("text")


def labelled_queries(material: Material, source: str) -> list[tuple[str, int]]:
    """Every training query's text with the row of each of its relevant passages, but for evaluation queries.

    Raises:
        InputError: a judged query is none of the queries.
    """
    judged = material.judgements
    for query_id in judged:
        if query_id not in material.queries:
            raise InputError(f"judgement for query {query_id!r}, which the queries do not hold.")
    kept = material.evaluation.others(judged, material.queries.__getitem__, source)
    return [
        (material.queries[query_id], material.passages.row(passage_id))
        for query_id in kept
        for passage_id, grade in judged[query_id].items()
        if grade > 0
    ]


def _covered(material: Material) -> frozenset[int]:
    return frozenset(
        material.passages.row(passage_id)
        for grades in material.judgements.values()
        for passage_id, grade in grades.items()
        if grade > 0
    )
