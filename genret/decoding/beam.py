"""Beam search over a backbone and a constraint; knows token ids and document numbers, never text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from genret.constraint import Constraint, TrieConstraint
from genret.decoding.look_ahead import Bonus, LookAhead
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.candidates import Scorer
from genret.decoding.steps.hypothesis import Hypothesis, Score
from genret.decoding.steps.search import Observer, Search
from genret.models.backbone import Backbone, Encoded

__all__ = ["beam_search", "score_all"]


def beam_search(
    backbone: Backbone,
    encoded: Encoded,
    constraint: Constraint,
    num_beams: int = 10,
    num_return: int | None = None,
    score: Score = "full",
    length_penalty: float = 0.0,
    min_length: int = 0,
    max_length: int | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
    look_ahead: Bonus | None = None,
    watch: Observer | None = None,
) -> list[list[Hypothesis]]:
    """The best token sequences of each query that the constraint allows, best first.

    At each step the `num_beams` best continuations of a query that do not end stay alive; every continuation
    by the end token is finished and takes no live place. A search whose beam is never full is exhaustive. Beams
    without a legal successor are dropped: fewer docids than beams give fewer results. Equal scores are ordered by
    their tokens. Sequences of probability zero are not returned. The rest of a batch, and padding, change nothing.

    Args:
        backbone, encoded: the model, and what its `encode` returned for the queries.
        constraint: what may come next.
        num_beams, num_return, length_penalty, min_length, max_length: see `Limits`.
        score: "full", "renormalised" or "raw" (see `Score`).
        prefixes: for each query the tokens that its hypotheses begin with, scored as any others.
        filters: for each query None or the documents that it may see, as the constraint takes them.
        look_ahead: a bonus for prefixes that decides which beams stay alive and is no part of any score.
        watch: is shown every step; then steps are taken one by one, which is slower.

    Raises:
        UsageError: an argument is out of its range.
        FloatingPointError: the model's scores are not numbers.
    """
    limits = Limits.of(num_beams, num_return, score, length_penalty, min_length, max_length)
    search = searcher(backbone, constraint, limits, score, prefixes, filters, look_ahead, watch)
    with torch.inference_mode():
        return search.run(encoded)


def searcher(
    backbone: Backbone,
    constraint: Constraint,
    limits: Limits,
    score: Score = "full",
    prefixes: Sequence[Sequence[int]] | None = None,
    filters: Sequence[Any] | None = None,
    look_ahead: Bonus | None = None,
    watch: Observer | None = None,
) -> Search:
    """The search that `beam_search` runs, within limits of any kind."""
    scorer = Scorer(
        backbone, score, backbone.eos_token_id, None if look_ahead is not None else limits.num_beams
    )
    strategy = None if look_ahead is None else LookAhead(look_ahead)
    search = Search(backbone, constraint, limits, scorer, strategy, prefixes, filters)
    if watch is not None:
        search.watch(watch)
    return search


def score_all(
    backbone: Backbone, encoded: Encoded, constraint: TrieConstraint, score: Score = "full", **options: Any
) -> list[list[Hypothesis]]:
    """Every docid of a small trie with its score, best first: a beam search whose beam is never full.

    Each prefix is computed once, however many docids share it. Memory and time grow with queries x docids.

    Args:
        backbone, encoded, score: as for `beam_search`.
        constraint: the docids.
        options: `length_penalty`, `prefixes` and `filters` of `beam_search`.
    """
    return beam_search(backbone, encoded, constraint, max(1, constraint.num_docids), score=score, **options)
