"""From a retriever's results to what the demo's pages show.

Knows hits, right passages and traced searches; knows nothing of how a page looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from genret.demo.pages import Answer, AnsweredHit, Failure, StepView
from genret.demo.search_steps import Step, prefixes, reachable

if TYPE_CHECKING:
    from genret.demo.questions import DemoQuestion
    from genret.retrieval.docids import GenerativeRetriever, Hit

__all__ = ["answer", "failure", "own_answer", "spread", "step_views"]

T = TypeVar("T")
SHOWN_WORDS = 3


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
    return [
        AnsweredHit(hit.rank, _title(retriever, hit.passage_id), hit.score, False, _words(hit))
        for hit in hits
    ]


def failure(retriever: GenerativeRetriever, question: DemoQuestion, hits: Sequence[Hit]) -> Failure:
    """Where the best of a question's right passages stands; `hits` are what the search returned."""
    standings = {one: retriever.standing(question.text, one) for one in question.passage_ids}
    best = min(standings, key=lambda one: standings[one].rank)
    first = _title(retriever, hits[0].passage_id) if hits else ""
    return Failure(question.text, first, _title(retriever, best), standings[best])


def step_views(retriever: GenerativeRetriever, steps: Sequence[Step], limit: int) -> list[StepView]:
    """Each step with its best `limit` beams; of many steps those that double, and the last."""
    return [
        StepView(
            number=step.number,
            kept=len(step.live) + len(step.ended),
            of=step.of + len(step.ended),
            reachable=reachable(retriever, step),
            beams=prefixes(retriever, step, limit),
        )
        for step in steps
        if step.number & (step.number - 1) == 0 or step is steps[-1]
    ]


def _words(hit: Hit) -> str:
    """The words that count most."""
    return " ".join(word.text for word in hit.words[:SHOWN_WORDS])


def _title(retriever: GenerativeRetriever, passage_id: str) -> str:
    passage = retriever.passages[retriever.passages.row(passage_id)]
    return passage.title or passage.text
