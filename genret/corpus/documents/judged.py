"""Judgements of documents where the corpus was split: a judged document means its pieces, and counts once.

Knows ids and grades; of which document a passage is, its metadata says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from genret.corpus.documents.pieces import DOCUMENT
from genret.corpus.store import PassageStore
from genret.corpus.types import Judgements, MetadataValue, Passage, Run

__all__ = ["Counting", "counting", "documents_of", "onto_pieces"]

# Hits of a query, where a document may have any number of pieces.
DEEPEST = 1000


class Counting(NamedTuple):
    """How hits count against judgements.

    Attributes:
        judgements: of documents, where some that are in pieces are judged; else of passages, as they were given.
        documents: the document of each passage; empty where passages are judged.
        most: pieces of a document, at most.
    """

    judgements: Judgements
    documents: Mapping[str, str] = {}
    most: int = 1

    def depth(self, k: int) -> int:
        """So many hits hold `k` documents; at most `DEEPEST`, unless `k` is more."""
        return max(k, min(DEEPEST, (k - 1) * self.most + 1))

    def counted(self, run: Run) -> Run:
        """The run by documents, each at its best piece."""
        if not self.documents:
            return run
        return {query_id: self._once(hits) for query_id, hits in run.items()}

    def _once(self, hits: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for passage_id, score in hits:
            best.setdefault(self.documents.get(passage_id, passage_id), score)
        return list(best.items())


def counting(judged: Judgements, passages: Sequence[Passage]) -> Counting:
    """How hits of `passages` count against judgements of them, or of the documents that they are pieces of.

    Where any document in pieces is judged, documents are: a judgement of a piece is then one of its document.
    """
    documents = documents_of(passages)
    pieces = _pieces(documents)
    if not any(one in pieces for grades in judged.values() for one in grades):
        return Counting(judged)
    by_document: Judgements = {}
    for query_id, grades in judged.items():
        own = by_document[query_id] = {}
        for one, grade in grades.items():
            name = documents.get(one, one)
            own[name] = max(grade, own.get(name, grade))
    return Counting(by_document, documents, max(map(len, pieces.values())))


def onto_pieces(judged: Judgements, passages: Sequence[Passage]) -> Judgements:
    """Judgements of passages alone: those of documents in pieces are of all their pieces; a piece's own stays."""
    pieces = _pieces(documents_of(passages))
    if not pieces:
        return judged
    return {
        query_id: {
            **{piece: grade for one, grade in grades.items() for piece in pieces.get(one, ())},
            **{one: grade for one, grade in grades.items() if one not in pieces},
        }
        for query_id, grades in judged.items()
    }


def documents_of(passages: Sequence[Passage]) -> dict[str, str]:
    """The document of each passage, where the corpus was split; without those that say nothing of it."""
    return {passage_id: name for passage_id, name in _named(passages) if isinstance(name, str)}


def _named(passages: Sequence[Passage]) -> Iterable[tuple[str, MetadataValue | None]]:
    """Each passage with what its field says; of a store without reading the other fields."""
    if not isinstance(passages, PassageStore):
        return ((one.passage_id, one.metadata.get(DOCUMENT)) for one in passages)
    column = passages.columns().get(DOCUMENT)
    values = [] if column is None else map(column.value, range(len(passages)))
    return zip(passages.passage_ids, values, strict=False)


def _pieces(documents: Mapping[str, str]) -> dict[str, list[str]]:
    """The passages of each document that is no passage itself."""
    pieces: dict[str, list[str]] = {}
    for passage_id, name in documents.items():
        if name not in documents:
            pieces.setdefault(name, []).append(passage_id)
    return pieces
