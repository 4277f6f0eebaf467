"""Several runs as one: an n-gram run and a docid run, for example.

Knows runs; knows nothing of what made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from genret.corpus.types import Run
from genret.errors import UsageError

__all__ = ["FUSED_DEPTH", "fuse_runs"]

# Cormack et al., "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009.
RANK_CONSTANT = 60
# Of the runs whose reciprocal ranks are fused, where fewer hits are asked for.
FUSED_DEPTH = 100


def fuse_runs(
    runs: Sequence[Run],
    weights: Sequence[float] | None = None,
    method: Literal["sum", "reciprocal"] = "sum",
    depth: int | None = None,
    passage_ids: Sequence[str] | None = None,
) -> Run:
    """One run of all.

    Args:
        runs: of any queries; a query is in the result if it is in one of them.
        weights: one a run; 1 each when None.
        method: "sum" adds scores, scaled for each query and run so that its best is 1 and its last is 0;
            "reciprocal" adds 1 / (60 + rank). A passage that a run lacks gets nothing from it.
        depth: keep so many passages a query; all when None.
        passage_ids: the corpus, in whose order equal scores stand; None: in the order of their ids.

    Raises:
        UsageError: no runs, or not one weight for each.
    """
    given = [1.0] * len(runs) if weights is None else list(weights)
    if not runs or len(given) != len(runs):
        raise UsageError(f"expected runs and a weight for each; found {len(runs)} and {len(given)}.")
    places = None if passage_ids is None else {one: place for place, one in enumerate(passage_ids)}
    parts = _scaled if method == "sum" else _reciprocal
    fused: Run = {}
    for query_id in dict.fromkeys(query_id for run in runs for query_id in run):
        scores: dict[str, float] = {}
        for run, weight in zip(runs, given, strict=True):
            for passage_id, score in parts(run.get(query_id, [])):
                scores[passage_id] = scores.get(passage_id, 0.0) + weight * score
        ordered = sorted(scores) if places is None else sorted(scores, key=places.__getitem__)
        ordered.sort(key=scores.__getitem__, reverse=True)
        fused[query_id] = [(passage_id, scores[passage_id]) for passage_id in ordered[:depth]]
    return fused


def _scaled(hits: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    scores = [score for _, score in hits]
    least, width = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
    return [(passage_id, (score - least) / width if width else 1.0) for passage_id, score in hits]


def _reciprocal(hits: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(passage_id, 1 / (RANK_CONSTANT + rank)) for rank, (passage_id, _) in enumerate(hits, start=1)]
