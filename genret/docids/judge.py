"""What a table of docids is judged by before training: its corpus, and the queries that are asked of it.

Knows tables, passages and vectors; what is measured is in `docid.quality`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from docid import DocidTable
from docid.quality.imitation import imitation_scores
from docid.quality.report import plain_trie
from genret.corpus import Passage, read_judgements, read_queries
from genret.corpus.documents.judged import onto_pieces
from genret.errors import InputError
from genret.vectors import read_vectors

__all__ = ["centroid_retrieval", "load_table"]


def load_table(path: Path, passages: Sequence[Passage] | None) -> DocidTable:
    """The table in a file, of these passages where they are given.

    Raises:
        InputError: it has docids for another number of passages.
    """
    table = DocidTable.load(path)
    if passages is not None and table.num_documents != len(passages):
        raise InputError(
            f"{path}: has {table.num_documents} documents, the corpus has {len(passages)} passages."
        )
    return table


def centroid_retrieval(
    corpus: Path, passages: Sequence[Passage], embeddings: Path, query_embeddings: Path, split: str
) -> Callable[[DocidTable], dict[str, float]]:
    """What measures how well a search by nearest centroids, in place of a model, finds passages by their docids.

    Args:
        corpus: holds the queries, and the judgements of `split`.
        embeddings, query_embeddings: .npy files, a row a passage and a row a query.

    Raises:
        InputError: the split judges no query of the corpus, or there is no row for one that it judges.
    """
    vectors, asked = read_vectors(embeddings), read_vectors(query_embeddings)
    rows, relevant = _judged(corpus, passages, split)
    _check_rows(query_embeddings, asked, rows)
    return lambda table: imitation_scores(plain_trie(table)[1], vectors, asked[rows], relevant)


def _check_rows(path: Path, vectors: npt.NDArray[Any], rows: list[int]) -> None:
    if not rows or vectors.ndim != 2 or max(rows) >= len(vectors):
        raise InputError(
            f"{path}: found shape {vectors.shape}, expected one row for each query of the corpus."
        )


def _judged(corpus: Path, passages: Sequence[Passage], split: str) -> tuple[list[int], list[set[int]]]:
    """The rows of the queries that the split judges, and the documents that answer each."""
    documents = {passage.passage_id: row for row, passage in enumerate(passages)}
    judgements = onto_pieces(read_judgements(corpus, split), passages)
    rows, relevant = [], []
    for row, query in enumerate(read_queries(corpus)):
        grades = judgements.get(query.query_id, {})
        wanted = {
            documents[passage_id]
            for passage_id, grade in grades.items()
            if grade > 0 and passage_id in documents
        }
        if wanted:
            rows.append(row)
            relevant.append(wanted)
    return rows, relevant
