"""A retriever's answers as the evaluation libraries take them: for each query, passage ids with their scores."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from genret.corpus.formats.datafile import show
from genret.corpus.formats.runs import strictly_decreasing
from genret.errors import InputError
from genret.retrieval.retriever import Retriever

__all__ = ["check_corpus", "scores_by_query"]


def scores_by_query(
    retriever: Retriever[Any, Any],
    queries: Mapping[str, str],
    k: int,
    corpus: Container[str],
    num_beams: int | None = None,
) -> dict[str, dict[str, float]]:
    """The `k` best passages of each query, those of `corpus` only: query id -> passage id -> score.

    Scores strictly decrease, so that trec_eval sees the order that a run file would have.
    """
    found = retriever.iter_search(list(queries.values()), k, num_beams=num_beams)
    return {
        query_id: dict(
            strictly_decreasing(
                query_id, [(hit.passage_id, hit.score) for hit in hits if hit.passage_id in corpus]
            )
        )
        for query_id, hits in zip(queries, found, strict=True)
    }


def check_corpus(retriever: Retriever[Any, Any], passage_ids: Iterable[str]) -> None:
    """Refuse a corpus that the model was not built for.

    Raises:
        InputError: the model has no passage of one of these ids.
    """
    known: Container[object] = retriever.passages  # it is asked for an id
    unknown = next((passage_id for passage_id in passage_ids if passage_id not in known), None)
    if unknown is not None:
        raise InputError(
            f"the corpus has the passage {show(unknown)}, which the model was not built for; it knows "
            f"{len(retriever.passages):,} passages."
        )
