"""What each kind of evidence is worth to an n-gram retriever, learned from labelled queries that were held back.

The weights are those under which the right passage is likeliest among the passages that the search itself finds: a listwise
loss over passages (Li et al., "Learning to Rank in Generative Retrieval" (LTRGR), AAAI 2024, trains a whole model so; here
a handful of weights, whose best values are found exactly). Knows a retriever and what its evidence adds up to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from genret.retrieval.ngrams.key_maker import QueryKeys
from genret.retrieval.ngrams.ngram_retriever import NgramRetriever

__all__ = ["Candidates", "Labelled", "fitted_weights", "learned_weights"]

# Of the held-back queries, the most that are searched; the passages of each; where ranks end.
MOST_QUERIES, CANDIDATES, DEPTH = 500, 100, 10
# What is found depends on the weights.
ROUNDS = 2
# Of each kind's contribution, squared; it decides between kinds that say the same.
RIDGE = 1e-3
# While candidates are found no kind counts less than this part of what it began with: evidence of no weight is not seen.
LEAST = 0.01

FloatArray = npt.NDArray[np.float64]
# A query's text and the rows of its relevant passages.
Labelled: TypeAlias = tuple[str, frozenset[int]]
T = TypeVar("T")


class Candidates(NamedTuple):
    """The passages of one query.

    Attributes:
        sums: float64 [passages, kinds]; what each kind of evidence adds up to.
        right: bool [passages].
    """

    sums: FloatArray
    right: npt.NDArray[np.bool_]

    @property
    def telling(self) -> bool:
        """Whether there are right ones and wrong ones."""
        return bool(self.right.any() and not self.right.all())


def learned_weights(retriever: NgramRetriever, labelled: Sequence[Labelled]) -> tuple[dict[str, float], str]:
    """The weights that make held-back queries' right passages likeliest, and a sentence on them.

    The weights stay where what was learned ranks no better.

    Args:
        labelled: queries that the model was not trained on.
    """
    kinds, begin = retriever.options.evidence, retriever.options.worth
    labelled = labelled[:MOST_QUERIES]
    texts = [text for text, _ in labelled]
    keys = [one for batch in _batches(retriever, texts) for one in retriever.maker.keys(batch)]
    best = first = begin, _mrr(retriever, keys, labelled)
    weights = begin
    for _ in range(ROUNDS):
        seen = {kind: max(weights.get(kind, 0.0), LEAST * begin.get(kind, 0.0), 1e-9) for kind in kinds}
        fitted = fitted_weights(_candidates(retriever.with_options(weights=seen), keys, labelled))
        weights = {kind: float(weight) for kind, weight in zip(kinds, fitted, strict=True)}
        if any(weights.values()):
            best = max(best, (weights, _mrr(retriever, keys, labelled, weights)), key=lambda one: one[1])
    told = "stay as they are" if best is first else "were learned"
    mrr = f"MRR@{DEPTH} {first[1]:.3f} before, {best[1]:.3f} after"
    return best[0], f"the weights of evidence {told}: {mrr}, on {len(labelled):,} labelled queries held back"


def fitted_weights(candidates: Sequence[Candidates]) -> FloatArray:
    """float64 [kinds], 0 or more: those under which right passages are likeliest among each query's candidates.

    Likely is the softmax of the weighted sums. Where each query has one right passage the loss is convex, and the weights
    are the only best ones.
    """
    telling = [one for one in candidates if one.telling]
    kinds = candidates[0].sums.shape[1] if candidates else 0
    if not telling:
        return np.zeros(kinds)
    # In units in which kinds are of one size, so that the ridge asks the same of each and steps fit all.
    spread = np.sqrt(np.mean([one.sums.var(0) for one in telling], axis=0))
    scale = np.where(spread > 0, spread, 1.0)
    scaled = [Candidates(one.sums / scale, one.right) for one in telling]
    bounds = [(0.0, None if one > 0 else 0.0) for one in spread]
    start = np.where(spread > 0, 1.0, 0.0)
    found = minimize(
        _loss, start, (scaled,), "L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": 1000, "ftol": 1e-12}
    )
    weights: FloatArray = found.x / scale
    return weights


def _loss(weights: FloatArray, candidates: Sequence[Candidates]) -> tuple[float, FloatArray]:
    """The loss and its gradient."""
    loss, slope = RIDGE / 2 * float(weights @ weights), RIDGE * weights
    for sums, right in candidates:
        scores = sums @ weights
        every, own = np.logaddexp.reduce(scores), np.logaddexp.reduce(scores[right])
        loss += float(every - own) / len(candidates)
        likely = np.exp(scores - every)
        likely[right] -= np.exp(scores[right] - own)
        slope = slope + likely @ sums / len(candidates)
    return loss, slope


def _batches(retriever: NgramRetriever, given: Sequence[T]) -> list[Sequence[T]]:
    """Some at a time: all passages are scored for each query of a batch."""
    size = retriever.options.batch_size
    return [given[begin : begin + size] for begin in range(0, len(given), size)]


def _candidates(
    retriever: NgramRetriever, keys: Sequence[QueryKeys], labelled: Sequence[Labelled]
) -> list[Candidates]:
    found = [one for batch in _batches(retriever, keys) for one in retriever.sums(batch, CANDIDATES)]
    return [
        Candidates(sums, np.isin(rows, sorted(relevant)))
        for (rows, sums), (_, relevant) in zip(found, labelled, strict=True)
    ]


def _mrr(
    retriever: NgramRetriever,
    keys: Sequence[QueryKeys],
    labelled: Sequence[Labelled],
    weights: dict[str, float] | None = None,
) -> float:
    searched = retriever if weights is None else retriever.with_options(weights=weights)
    reciprocal, found = (
        [],
        [one for batch in _batches(retriever, keys) for one in searched.score(batch, DEPTH)],
    )
    for scored, (_, relevant) in zip(found, labelled, strict=True):
        places = np.flatnonzero(np.isin(scored.passages, sorted(relevant)))
        reciprocal.append(1 / (places[0] + 1) if len(places) else 0.0)
    return float(np.mean(reciprocal))
