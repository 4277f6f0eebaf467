"""From a retriever's results to what the demo's pages show.

Knows hits, right passages and traced searches; knows nothing of how a page looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from genret.demo.pages import Answer, AnsweredHit, Failure, StepView
from genret.demo.search_steps import Step, prefixes, reachable

if TYPE_CHECKING:
    from genret.decoding import GoldStep, Trace
    from genret.demo.questions import DemoQuestion
    from genret.retrieval.docids import GenerativeRetriever, Hit

__all__ = ["answer", "failure", "own_answer", "spread", "step_views"]

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly over the whole sequence: a choice that nobody makes."""
    chosen = min(count, len(items))
    return [items[(2 * place + 1) * len(items) // (2 * chosen)] for place in range(chosen)]


def answer(retriever: GenerativeRetriever, question: DemoQuestion, hits: Sequence[Hit], limit: int) -> Answer:
    """The first `limit` hits, and the first right one behind them, with their titles and docids' scores."""
    right = set(question.passage_ids)
    later = [hit for hit in hits[limit:] if hit.passage_id in right]
    first_is_seen = any(hit.passage_id in right for hit in hits[:limit])
    shown = [*hits[:limit], *([] if first_is_seen else later[:1])]
    marked = zip(shown, own_answer(retriever, shown), strict=True)
    return Answer(question.text, [one._replace(right=hit.passage_id in right) for hit, one in marked])


def own_answer(retriever: GenerativeRetriever, hits: Sequence[Hit]) -> list[AnsweredHit]:
    """Hits of a question that nobody has judged."""
    return [AnsweredHit(hit.rank, _title(retriever, hit.passage_id), hit.score, False) for hit in hits]


def failure(
    retriever: GenerativeRetriever, question: DemoQuestion, hits: Sequence[Hit], num_beams: int, searched: int
) -> Failure:
    """What happened to the best of a question's right passages.

    Args:
        hits: what the search with `num_beams` beams returned.
        searched: beams of a second, wider search that looks for the right passage.
    """
    wide = retriever.search(question.text, searched)
    right = set(question.passage_ids)
    ranked = next((hit for hit in wide if hit.passage_id in right), None)
    trace = retriever.trace(question.text, num_beams)
    lost = {one: _departure(retriever, trace, one) for one in question.passage_ids}
    best = ranked.passage_id if ranked else max(lost, key=lambda one: _reached(lost[one]))
    first = _title(retriever, hits[0].passage_id) if hits else ""
    rank = ranked.rank if ranked else None
    return Failure(question.text, first, _title(retriever, best), rank, searched, lost[best])


def step_views(retriever: GenerativeRetriever, steps: Sequence[Step], limit: int) -> list[StepView]:
    """Each step with its best `limit` beams."""
    return [
        StepView(
            number=step.number,
            kept=len(step.live) + len(step.ended),
            of=step.of + len(step.ended),
            reachable=reachable(retriever, step),
            beams=prefixes(retriever, step, limit),
        )
        for step in steps
    ]


def _departure(retriever: GenerativeRetriever, trace: Trace, passage_id: str) -> GoldStep | None:
    """The step at which a passage's docid left the beam; None if it never did."""
    way = trace.follow(retriever.sequence(passage_id))
    return way[-1] if way and not way[-1].kept else None


def _reached(lost: GoldStep | None) -> tuple[float, float]:
    """How far a docid came: to its end, or to a step, with a score there."""
    return (math.inf, 0.0) if lost is None else (lost.step, lost.total)


def _title(retriever: GenerativeRetriever, passage_id: str) -> str:
    passage = retriever.passages[retriever.passages.row(passage_id)]
    return passage.title or passage.text
