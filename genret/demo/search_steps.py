"""A search as a shrinking set: which prefixes the beam held after each step, and what they could still reach.

Knows the trace of a search and the retriever that made it; knows nothing of how a search goes or of screens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from genret.decoding import Trace, TraceStep
    from genret.retrieval.docids import GenerativeRetriever

__all__ = ["Branch", "Prefix", "Step", "prefixes", "reachable", "steps_of"]


class Branch(NamedTuple):
    """A prefix that is alive, or a docid that is complete; then `tokens` closes with the end token.

    `probability` is that of the last token among the legal ones, `score` the sum over all tokens of what the
    search adds up (see `SearchOptions`).
    """

    tokens: tuple[int, ...]
    probability: float
    score: float


class Step(NamedTuple):
    """What one step of the search saw.

    Attributes:
        number: tokens of the prefixes, from 1.
        of: legal continuations that do not end a docid.
        live: those that stay alive, best first.
        ended: the complete docids so far, best first, at most as many as there are beams.
    """

    number: int
    of: int
    live: list[Branch]
    ended: list[Branch]


class Prefix(NamedTuple):
    """A beam for people: its tokens as text, scores, and what lies below it in the trie."""

    tokens: list[str]
    probability: float
    score: float
    reachable: int
    example: str


def steps_of(trace: Trace, num_beams: int) -> list[Step]:
    """The steps of a search with `num_beams` beams."""
    steps, ended = [], list[Branch]()
    for number, step in enumerate(trace.steps, 1):
        ended = sorted([*ended, *_branches(step, step.ended)], key=_order)[:num_beams]
        live = sorted(_branches(step, step.kept), key=_order)
        steps.append(Step(number, int((~step.ended).sum()), live, ended))
    return steps


def _order(branch: Branch) -> tuple[float, tuple[int, ...]]:
    return -branch.score, branch.tokens


def _branches(step: TraceStep, wanted: np.ndarray) -> Iterator[Branch]:
    """The candidates that are `wanted`, bool [m]."""
    probabilities = _among_legal(step)
    for place in np.flatnonzero(wanted):
        tokens = (*step.beams[step.rows[place]], int(step.tokens[place]))
        yield Branch(tokens, float(probabilities[place]), float(step.totals[place]))


def _among_legal(step: TraceStep) -> np.ndarray:
    """The probability of each candidate among those of its beam: float64 [m]."""
    beams = len(step.beams)
    scores = step.totals.astype(np.float64)
    peaks = np.full(beams, -np.inf)
    np.maximum.at(peaks, step.rows, scores)
    weights = np.exp(scores - peaks[step.rows])
    shares: np.ndarray = weights / np.bincount(step.rows, weights, beams)[step.rows]
    return shares


def reachable(retriever: GenerativeRetriever, step: Step) -> int:
    """Passages that the search can still return after `step`: below a live prefix, or of a complete docid."""
    return sum(len(retriever.trie.documents_below(one.tokens)) for one in [*step.live, *step.ended])


def prefixes(retriever: GenerativeRetriever, step: Step, limit: int) -> list[Prefix]:
    """The best `limit` beams of `step`, complete docids among them, each with an example from its subtree."""
    best = sorted([*step.live, *step.ended], key=_order)[:limit]
    return [_prefix(retriever, one) for one in best]


def _prefix(retriever: GenerativeRetriever, branch: Branch) -> Prefix:
    below = retriever.trie.documents_below(branch.tokens)
    words = retriever.backbone.tokenizer.convert_ids_to_tokens(list(branch.tokens))
    # The middle one: the first of every subtree would often be its alphabetically first neighbour.
    passage = retriever.passages[int(below[len(below) // 2])]
    example = passage.title or passage.text
    return Prefix(list(words), branch.probability, branch.score, len(below), example)
