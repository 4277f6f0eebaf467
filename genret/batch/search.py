"""The search of one shard: its chunks, one after the other, from where the part ends.

Knows retrievers by one method; knows nothing of how they search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from genret.batch.part import Part
from genret.batch.plan import Job, Plan, chunks
from genret.corpus import PassageStore, Question
from genret.corpus.formats.found import FoundPassage, FoundQuery, Match, found_line
from genret.jobs.progress import ProgressReport, progress

__all__ = ["Searcher", "search_shard"]


class Searcher(Protocol):
    """A retriever: hits with `passage_id`, `score`, and `docid` or `matches`, for each query in order."""

    @property
    def passages(self) -> PassageStore: ...

    def iter_search(
        self, queries: Sequence[str], k: int = 10, *, num_beams: int | None = None
    ) -> Iterator[list[Any]]: ...


def search_shard(searcher: Searcher, questions: Iterable[Question], plan: Plan, part: Part) -> None:
    """Search what `part` lacks of its shard and append it, chunk by chunk.

    `questions` are all of the plan's; only one chunk of them is held at a time.
    """
    wanted = plan.chunks_of(part.journal.shard)[part.journal.chunks :]
    job = Job(plan.k, plan.num_beams, plan.chunk)
    with progress(sum(map(plan.size, wanted)), "searching", "queries") as report:
        for chunk in chunks(questions, plan, wanted):
            found = _search_chunk(searcher, chunk, job, report)
            part.append("".join(map(found_line, found)))


def _search_chunk(
    searcher: Searcher, chunk: list[Question], job: Job, report: ProgressReport
) -> list[FoundQuery]:
    """A chunk's queries, searched longest first, so that batches hold texts of one length, in their order."""
    order = sorted(range(len(chunk)), key=lambda place: -len(chunk[place].text))
    texts = [chunk[place].text for place in order]
    found: list[FoundQuery | None] = [None] * len(chunk)
    for place, hits in zip(order, searcher.iter_search(texts, job.k, num_beams=job.num_beams), strict=True):
        found[place] = FoundQuery(chunk[place], list(map(_passage, hits)))
        report.advance()
    return [one for one in found if one is not None]


def _passage(hit: Any) -> FoundPassage:
    matches = tuple(Match(match.text, float(match.score)) for match in getattr(hit, "matches", None) or ())
    return FoundPassage(hit.passage_id, float(hit.score), getattr(hit, "docid", None) or "", matches)
