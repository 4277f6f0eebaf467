"""Beam search over a backbone and a constraint; knows token ids and document numbers, never text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from genret.constraint import Constraint, TrieConstraint
from genret.decoding.look_ahead import Bonus, LookAhead
from genret.decoding.steps.beams import Limits
from genret.decoding.steps.candidates import Scorer
from genret.decoding.steps.hypothesis import Hypothesis, Score, check_score
from genret.decoding.steps.search import Search
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
) -> list[list[Hypothesis]]:
    """The best token sequences of each query that the constraint allows, best first.

    At each step the `num_beams` best continuations of a query that do not end stay alive; every continuation
    by the end token is finished and takes no live place. A search whose beam is never full is exhaustive.
    Beams without a legal successor are dropped: fewer docids than beams give fewer results. Equal scores are
    ordered by their tokens. Sequences of probability zero are not returned. The other queries of a batch, and
    padding, change nothing.

    Early stop. A query is done once no live beam can beat its last place among the finished. Proof that none
    is lost: let s be the greatest sum of log-probabilities over its live beams, f the key in the last of
    `num_return` places. (1) A beam's sum never rises: each token adds a log-probability, at most 0; and every
    later beam continues a live one. So every later hypothesis has a sum of at most s. (2) Its key is that
    sum / length ** penalty. Without a penalty that is at most s. With a positive one, as sums are at most 0,
    the key grows with the length, and is at most s / max_length ** penalty, or 0 where no length is given;
    with a negative one it falls with the length, and is at most s / (the next length) ** penalty. (3) If that
    bound is below f, every later hypothesis ranks below the last place. Equality does not stop the search, as
    ties are ordered by tokens. Raw logits may be positive, so (1) fails and raw scores never stop early.

    Args:
        backbone: the model.
        encoded: what its `encode` returned for the queries.
        constraint: what may come next.
        num_beams: live beams of a query.
        num_return: hypotheses of a query, at most `num_beams`; as many as beams when not given.
        score: "full" (log-softmax over the vocabulary, before the constraint), "renormalised" (over the legal
            successors) or "raw" (logits).
        length_penalty: scores are divided by length ** this; 0 leaves the sums.
        min_length, max_length: tokens of a hypothesis, the end token included.
        prefixes: for each query the tokens that its hypotheses begin with, scored as any others.
        filters: for each query None or the documents that it may see, as the constraint takes them.
        look_ahead: a bonus for prefixes that decides which beams stay alive and is no part of any score.

    Raises:
        UsageError: an argument is out of its range.
        FloatingPointError: the model's scores are not numbers.
    """
    search = searcher(
        backbone,
        constraint,
        num_beams,
        num_return,
        score,
        length_penalty,
        min_length,
        max_length,
        prefixes,
        filters,
        look_ahead,
    )
    with torch.inference_mode():
        return search.run(encoded)


def searcher(
    backbone: Backbone,
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
) -> Search:
    """The search that `beam_search` runs, for callers that want to watch it; the same arguments and errors."""
    check_score(score)
    limits = Limits.of(num_beams, num_return, score, length_penalty, min_length, max_length)
    scorer = Scorer(backbone, score, backbone.eos_token_id, None if look_ahead is not None else num_beams)
    strategy = None if look_ahead is None else LookAhead(look_ahead)
    return Search(backbone, constraint, limits, scorer, strategy, prefixes, filters)


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
