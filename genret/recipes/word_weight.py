"""How much words weigh beside codes, learned from labelled queries that the model was not trained on.

Knows a model that searches, and what its hits score by codes and by words. A model that was trained on a query knows its
docid by heart and would say that words are worth nothing: only queries that were held back can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from genret.retrieval.docids import GenerativeRetriever
from genret.words import Words

__all__ = ["Labelled", "fitted_ratio", "learned_weight"]

# Of the held-back queries, the most that are searched; the passages that a search is asked for; where ranks end.
MOST_QUERIES, CANDIDATES, DEPTH = 500, 32, 10
# What is found depends on the weight, which may begin far off.
ROUNDS = 2
# Of the logarithms: beyond it one of the parts says nothing.
FARTHEST = 8.0

FloatArray = npt.NDArray[np.float64]
# A query's text and the rows of its relevant passages.
Labelled: TypeAlias = tuple[str, frozenset[int]]


class _Found(NamedTuple):
    """Hits of queries, float64 [queries, CANDIDATES] both, -inf where there are fewer; which are right; the MRR."""

    codes: FloatArray
    words: FloatArray
    right: npt.NDArray[np.bool_]
    mrr: float


def learned_weight(retriever: GenerativeRetriever, labelled: Sequence[Labelled]) -> tuple[Words, str]:
    """The model's words with the weight that ranks held-back queries best, and a sentence on it.

    They keep the weight that they have where what was learned ranks no better.

    Args:
        retriever: whose docids have words.
        labelled: queries that the model was not trained on.
    """
    assert retriever.words is not None
    labelled = labelled[:MOST_QUERIES]
    first = best = retriever.words, _found(retriever, labelled)
    words, found = first
    for _ in range(ROUNDS):
        words = replace(words, weight=words.weight * fitted_ratio(found.codes, found.words, found.right))
        found = _found(_with(retriever, words), labelled)
        best = max(best, (words, found), key=lambda one: one[1].mrr)
    before, after = first[0].weight, best[0].weight
    change = f"stays at {before:.3g}" if best is first else f"went from {before:.3g} to {after:.3g}"
    mrr = f"MRR@{DEPTH} {first[1].mrr:.3f} before, {best[1].mrr:.3f} after"
    return best[0], f"the weight of words {change}: {mrr}, on {len(labelled):,} labelled queries held back"


def fitted_ratio(codes: FloatArray, words: FloatArray, right: npt.NDArray[np.bool_]) -> float:
    """What words are to be multiplied with beside codes, so that the right candidates are likeliest.

    Likely is the softmax of the sum, over a temperature that is fitted too: a model may be surer than it is right.

    Args:
        codes, words: what candidates score by each, floats [n, c]; -inf in `codes` where a query has fewer.
        right: bool [n, c]; queries without a right candidate or a wrong one say nothing.
    """
    there = np.isfinite(codes)
    telling = (right & there).any(1) & (~right & there).any(1)
    if not telling.any():
        return 1.0
    parts = codes[telling], words[telling], right[telling]
    bounds = [(-FARTHEST, FARTHEST)] * 2
    found = minimize(partial(_loss, *parts), np.zeros(2), method="Nelder-Mead", bounds=bounds)
    return float(np.exp(found.x[1]))


def _loss(codes: FloatArray, words: FloatArray, right: npt.NDArray[np.bool_], logs: FloatArray) -> float:
    scale, ratio = np.exp(logs)
    scores = scale * (codes + ratio * words)
    kept = np.where(right, scores, -np.inf)
    return float((np.logaddexp.reduce(scores, axis=1) - np.logaddexp.reduce(kept, axis=1)).mean())


def _with(retriever: GenerativeRetriever, words: Words) -> GenerativeRetriever:
    return GenerativeRetriever(
        retriever.backbone,
        retriever.table,
        retriever.passages,
        trie=retriever.trie,
        words=words,
        options=retriever.options,
    )


def _found(retriever: GenerativeRetriever, labelled: Sequence[Labelled]) -> _Found:
    shape = len(labelled), CANDIDATES
    codes, words, right = np.full(shape, -np.inf), np.zeros(shape), np.zeros(shape, bool)
    for row, hits in enumerate(retriever.batch_search([text for text, _ in labelled], CANDIDATES)):
        for place, hit in enumerate(hits):
            codes[row, place], words[row, place] = hit.code_score, hit.word_score
            right[row, place] = retriever.passages.row(hit.passage_id) in labelled[row][1]
    reciprocal = np.where(right[:, :DEPTH], 1 / np.arange(1, DEPTH + 1), 0.0).max(1)
    return _Found(codes, words, right, float(reciprocal.mean()) if len(reciprocal) else 0.0)
