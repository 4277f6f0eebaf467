"""What a model and its baselines lose when queries are mistyped: all are asked the same, as written and perturbed.

Knows how systems are asked; knows nothing of how results are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genret.corpus import Judgements, Query, Run
from genret.corpus.documents.judged import counting
from genret.evaluation import DEFAULT_METRICS, Evaluation, evaluate
from genret.evaluation.perturbations import LEVELS, Perturbation, perturbed
from genret.fitting.systems import MODEL_NAME
from genret.jobs.stages import Stages
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import Baselines
from genret.retrieval.retriever import Retriever, search_run
from genret.vectors.embedding import passage_vectors

__all__ = ["perturbed_systems"]

# Hits of a query, for metrics that look at all of them.
ALL_HITS = 100


def perturbed_systems(
    retriever: Retriever[Any, Any],
    queries: Sequence[Query],
    judgements: Judgements,
    kind: Perturbation,
    stages: Stages,
    *,
    seed: int = 0,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> dict[str, list[Evaluation]]:
    """Each system's values for the queries as they are written, then at level 1 and at level 2.

    Documents count as in `genret.fitting.systems`. The baselines search the model's passages; dense retrieval is by its own frozen encoder, or the packaged one where it
    has none.
    """
    count = counting(judgements, retriever.passages)
    k = count.depth(max(_depth(metric) for metric in metrics))
    backbone = retriever.backbone
    encoder = (
        backbone.sentence_encoder
        if isinstance(backbone, FrozenEncoderBackbone)
        else SentenceEncoder.load(None)
    )
    with stages.stage("embed the passages"):
        baselines = Baselines(retriever.passages, passage_vectors(None, retriever.passages, encoder), encoder)
    found: dict[str, list[Evaluation]] = {}
    for level in (0, *LEVELS):
        asked = perturbed(queries, kind, level, seed) if level else queries
        stages.announce(f"{kind}, level {level}" if level else "as written")
        with stages.stage("ask the model"):
            runs: dict[str, Run] = {MODEL_NAME: search_run(retriever, asked, k)}
        runs |= baselines.ask(asked, k, stages)
        for name, run in runs.items():
            found.setdefault(name, []).append(evaluate(count.counted(run), count.judgements, metrics))
    return found


def _depth(metric: str) -> int:
    """How many hits a metric looks at: the number after @."""
    cutoff = metric.rpartition("@")[2]
    return int(cutoff) if cutoff.isdecimal() else ALL_HITS
