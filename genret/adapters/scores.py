"""A retriever's answers as the evaluation libraries take them: for each query, passage ids with their scores."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from itertools import islice
from typing import Any

from genret.corpus.formats.datafile import show
from genret.corpus.formats.runs import strictly_decreasing
from genret.errors import InputError
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.retriever import Retriever

__all__ = ["check_corpus", "scores_by_query"]


def scores_by_query(
    retriever: Retriever[Any, Any],
    queries: Mapping[str, str],
    k: int,
    corpus: Collection[str],
    num_beams: int | None = None,
) -> dict[str, dict[str, float]]:
    """The `k` best passages of `corpus` for each query: query id -> passage id -> score.

    Scores strictly decrease, so that trec_eval sees the order that a run file would have.
    """
    passages, constraint, asked = retriever.passages, None, k
    if len(corpus) < len(passages):
        if isinstance(retriever, GenerativeRetriever):
            constraint = retriever.constraint.within([passages.row(passage_id) for passage_id in corpus])
        else:  # which scores them all in any case
            asked = len(passages)
    texts = list(queries.values())
    found = retriever.iter_search(texts, asked, num_beams=num_beams, constraint=constraint)
    scores = {}
    for query_id, hits in zip(queries, found, strict=True):
        kept = ((hit.passage_id, hit.score) for hit in hits if hit.passage_id in corpus)
        scores[query_id] = dict(strictly_decreasing(query_id, list(islice(kept, k))))
    return scores


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
