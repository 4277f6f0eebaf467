"""The search of one shard: its chunks, one after the other, from where its file ends.

Knows retrievers by one method; knows nothing of how they search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from genret.batch.batch_plan import BatchOptions, BatchPlan, chunks
from genret.corpus import PassageStore, Query, Question, Run
from genret.corpus.formats.found import FoundMatch, FoundPassage, FoundQuery, found_line
from genret.corpus.formats.runs import check_ids
from genret.jobs.journal import ShardFile
from genret.jobs.progress import ProgressReport, progress
from genret.jobs.resumable import Shard
from genret.retrieval.constraints import ConstraintOptions
from genret.retrieval.retriever import Retriever

__all__ = ["check_passage_ids", "found_of_run", "found_passage", "found_query", "search_shard"]


def search_shard(
    retriever: Retriever[Any, Any], questions: Iterable[Question], plan: BatchPlan, file: ShardFile
) -> None:
    """Search what `file` lacks of its shard and append it, chunk by chunk.

    `questions` are all of the plan's; only one chunk of them is held at a time.
    """
    parts, done = plan.parts, file.journal
    wanted = parts.of(Shard(done.shard, plan.shards))[done.parts :]
    job = BatchOptions(plan.k, plan.num_beams, plan.chunk, plan.drop_identical)
    allowed = None if plan.constraint is None else ConstraintOptions(**plan.constraint).of(retriever)
    search = partial(
        retriever.iter_search, k=job.depth, num_beams=job.num_beams, constraint=allowed, where=plan.where
    )
    with progress(sum(len(parts.rows(part)) for part in wanted), "searching", "queries") as report:
        for chunk in chunks(questions, plan, wanted):
            found = _search_chunk(search, chunk, job, report)
            file.append("".join(map(found_line, found)).encode())


def _search_chunk(
    search: Callable[[list[str]], Iterator[list[Any]]],
    chunk: list[Question],
    job: BatchOptions,
    report: ProgressReport,
) -> list[FoundQuery]:
    """A chunk's queries, searched longest first, so that batches hold texts of one length, in their order."""
    order = sorted(range(len(chunk)), key=lambda place: -len(chunk[place].text))
    texts = [chunk[place].text for place in order]
    found: list[FoundQuery | None] = [None] * len(chunk)
    for place, hits in zip(order, search(texts), strict=True):
        found[place] = found_query(chunk[place], map(found_passage, hits), job)
        report.advance()
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


def found_of_run(run: Run, queries: Iterable[Query], job: BatchOptions) -> Iterator[FoundQuery]:
    """What is written of a run that was searched at the job's depth: each of `queries`, in order, with its hits."""
    for query_id, text in queries:
        hits = (FoundPassage(passage_id, score) for passage_id, score in run.get(query_id, []))
        yield found_query(Question(query_id, text, []), hits, job)


def check_passage_ids(passages: PassageStore) -> None:
    """Refuse, before a search, passages whose ids cannot stand between blanks.

    Raises:
        InputError: there is one.
    """
    for passage_id in passages.passage_ids:
        check_ids(passage_id)
