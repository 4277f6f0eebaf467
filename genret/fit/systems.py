"""The systems that a model is compared with on the same passages and queries: itself untrained, BM25, dense.

Knows how each is asked; knows nothing of how results are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from genret.corpus import Judgements, Passage, Query, Run
from genret.evaluation import BM25_TUNED, Evaluation, bm25_run, evaluate, nearest_run
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.recipes.control import frozen_backbone, untrained
from genret.retrieval.docids import GenerativeRetriever, Hit
from genret.vectors import embed_texts
from genret.vectors.embedding import passage_vectors

__all__ = ["MODEL_NAME", "SystemScores", "compare_systems"]

MODEL_NAME = "the model"


@dataclass(frozen=True)
class SystemScores:
    """All systems on all queries.

    Attributes:
        evaluations: system name to its values for each query; the model's is under `MODEL_NAME`.
        hits: of the model, by query id.
    """

    evaluations: Mapping[str, Evaluation]
    hits: Mapping[str, list[Hit]]


def compare_systems(
    retriever: GenerativeRetriever,
    passages: Sequence[Passage],
    queries: Sequence[Query],
    judgements: Judgements,
    stages: Stages,
    k: int = 10,
    vectors: npt.NDArray[Any] | None = None,
) -> SystemScores:
    """Ask every system every query for its best `k` passages; each is a stage of its own.

    Args:
        passages: what BM25 and the dense retriever search.
        vectors: those of `passages` by the model's encoder, floats [N, d]; computed, and cached, where None.
    """
    runs: dict[str, Run] = {}
    encoder, cache = frozen_backbone(retriever).sentence_encoder, default_cache()
    with stages.stage("ask the model"):
        hits = _search(retriever, queries, k)
        runs[MODEL_NAME] = _run(hits)
    with stages.stage("ask the untrained model"):
        if vectors is None:
            vectors = passage_vectors(None, passages, encoder)
        runs["the same, untrained"] = _run(_search(untrained(retriever, vectors), queries, k))
        runs["random weights"] = _run(_search(untrained(retriever), queries, k))
    with stages.stage("ask BM25"):
        runs["BM25"] = bm25_run(passages, queries, k)
    with stages.stage("ask BM25, tuned"):
        runs["BM25, tuned"] = bm25_run(passages, queries, k, BM25_TUNED)
    with stages.stage("ask the dense retriever"):
        asked = embed_texts(encoder, [query.text for query in queries], cache=cache)
        ids = [passage.passage_id for passage in passages]
        runs["dense, same encoder"] = nearest_run(queries, asked, ids, vectors, k)
    return SystemScores({name: evaluate(run, judgements) for name, run in runs.items()}, hits)


def _search(retriever: GenerativeRetriever, queries: Sequence[Query], k: int) -> dict[str, list[Hit]]:
    found = retriever.batch_search([query.text for query in queries], k)
    return {query.query_id: hits for query, hits in zip(queries, found, strict=True)}


def _run(hits: Mapping[str, list[Hit]]) -> Run:
    return {query_id: [(hit.passage_id, hit.score) for hit in found] for query_id, found in hits.items()}
