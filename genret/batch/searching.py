"""The search of a batch run's parts: chunk by chunk, each from the questions that stand at its place.

Knows what is searched by one method; knows nothing of how they search, nor of who else searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

from genret.batch.batch_plan import BatchOptions, BatchPlan
from genret.constraint.protocol import Constraint
from genret.corpus import PassageStore, Question
from genret.corpus.formats.found import FoundMatch, FoundPassage, FoundQuery, found_line
from genret.corpus.formats.runs import check_ids
from genret.jobs.job import Advance, Work
from genret.retrieval.constraints import ConstraintOptions
from genret.retrieval.retriever import Retriever

__all__ = ["Search", "Searcher", "check_passage_ids", "found_passage", "found_query"]


class Searcher(Protocol):
    """What can be asked many texts: a retriever, or a baseline."""

    def iter_search(
        self,
        queries: list[str],
        k: int,
        *,
        num_beams: int | None,
        constraint: Constraint | None,
        where: str | None,
    ) -> Iterator[list[Any]]:
        """The `k` best passages of each text, in order; see `Retriever.iter_search`."""


@dataclass(frozen=True)
class Search:
    """What a batch run's workers do.

    Attributes:
        load: gives what is searched; a retriever, where the plan has a constraint.
        questions: gives all questions of the plan, from the first on.
    """

    load: Callable[[], Searcher]
    questions: Callable[[], Iterable[Question]]
    plan: BatchPlan

    def __call__(self) -> Work:
        plan, retriever, chunks = self.plan, self.load(), _Chunks(self.questions, self.plan)
        job = BatchOptions(plan.k, plan.num_beams, plan.chunk, plan.drop_identical)
        allowed = None
        if plan.constraint is not None and isinstance(retriever, Retriever):
            allowed = ConstraintOptions(**plan.constraint).of(retriever)
        search = partial(
            retriever.iter_search, k=job.depth, num_beams=job.num_beams, constraint=allowed, where=plan.where
        )

        def work(part: int, advance: Advance) -> bytes:
            found = _search_chunk(search, chunks.take(part), job, advance)
            return "".join(map(found_line, found)).encode()

        return work


class _Chunks:
    """The questions of a chunk: those of later ones are read on to, those of earlier ones from the first again."""

    def __init__(self, questions: Callable[[], Iterable[Question]], plan: BatchPlan) -> None:
        self._questions, self._parts = questions, plan.parts
        self._stream, self._next = iter(questions()), 0

    def take(self, part: int) -> list[Question]:
        rows = self._parts.rows(part)
        if rows.start < self._next:
            self._stream, self._next = iter(self._questions()), 0
        skipped, self._next = rows.start - self._next, rows.stop
        return list(islice(self._stream, skipped, skipped + len(rows)))


def _search_chunk(
    search: Callable[[list[str]], Iterator[list[Any]]],
    chunk: list[Question],
    job: BatchOptions,
    advance: Advance,
) -> list[FoundQuery]:
    """A chunk's queries, searched longest first, so that batches hold texts of one length, in their order."""
    order = sorted(range(len(chunk)), key=lambda place: -len(chunk[place].text))
    texts = [chunk[place].text for place in order]
    found: list[FoundQuery | None] = [None] * len(chunk)
    for place, hits in zip(order, search(texts), strict=True):
        found[place] = found_query(chunk[place], map(found_passage, hits), job)
        advance(1)
    return [one for one in found if one is not None]


def found_query(question: Question, hits: Iterable[FoundPassage], job: BatchOptions) -> FoundQuery:
    """What is written of a question that was searched at the job's depth."""
    return FoundQuery(question, job.kept(question.query_id, hits))


def found_passage(hit: Any) -> FoundPassage:
    """What is written of a hit of either kind of retriever."""
    matches = tuple(
        FoundMatch(match.text, float(match.score)) for match in getattr(hit, "matches", None) or ()
    )
    docid, metadata = getattr(hit, "docid", None) or "", getattr(hit, "metadata", {})
    return FoundPassage(hit.passage_id, float(hit.score), docid, matches, metadata)


def check_passage_ids(passages: PassageStore) -> None:
    """Refuse, before a search, passages whose ids cannot stand between blanks.

    Raises:
        InputError: there is one.
    """
    for passage_id in passages.passage_ids:
        check_ids(passage_id)
