"""The systems that a model is compared with on the same passages and queries: itself untrained, and all baselines.

Knows how each is asked; knows nothing of how results are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from genret.corpus import Judgements, Passage, Query, Run
from genret.evaluation import Evaluation, evaluate
from genret.jobs.stages import Stages
from genret.recipes.baseline_runs import Baselines
from genret.recipes.control import frozen_backbone, untrained
from genret.retrieval.docids import GenerativeRetriever, Hit
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
    labelled: Sequence[tuple[str, int]] = (),
) -> SystemScores:
    """Ask every system every query for its best `k` passages; each is a stage of its own.

    Args:
        passages: what the baselines search.
        vectors: those of `passages` by the model's encoder, floats [N, d]; computed, and cached, where None.
        labelled: what `Baselines` fine-tunes dense retrieval on.
    """
    runs: dict[str, Run] = {}
    encoder = frozen_backbone(retriever).sentence_encoder
    with stages.stage("ask the model"):
        hits = _search(retriever, queries, k)
        runs[MODEL_NAME] = _run(hits)
    with stages.stage("ask the untrained model"):
        if vectors is None:
            vectors = passage_vectors(None, passages, encoder)
        runs["the same, untrained"] = _run(_search(untrained(retriever, vectors), queries, k))
        runs["random weights"] = _run(_search(untrained(retriever), queries, k))
    runs |= Baselines(passages, vectors, encoder, labelled).ask(queries, k, stages)
    return SystemScores({name: evaluate(run, judgements) for name, run in runs.items()}, hits)


def _search(retriever: GenerativeRetriever, queries: Sequence[Query], k: int) -> dict[str, list[Hit]]:
    found = retriever.batch_search([query.text for query in queries], k)
    return {query.query_id: hits for query, hits in zip(queries, found, strict=True)}


def _run(hits: Mapping[str, list[Hit]]) -> Run:
    return {query_id: [(hit.passage_id, hit.score) for hit in found] for query_id, found in hits.items()}
