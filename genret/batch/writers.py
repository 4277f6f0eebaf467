"""What a batch run is written as, query by query: memory does not grow with their number.

Knows the formats of runs by name, as `genret.corpus.formats.registry` does; searches nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator

from genret.batch.batch_plan import BatchOptions
from genret.batch.shard import found_query
from genret.corpus import PassageStore, Query, Question, Run
from genret.corpus.formats.dpr import context_entry
from genret.corpus.formats.found import FoundPassage, FoundQuery, found_line
from genret.corpus.formats.kilt import guess_line
from genret.corpus.formats.runs import check_ids, run_lines
from genret.corpus.writing import text_writer
from genret.errors import UsageError

__all__ = [
    "FORMATS",
    "NEED_TEXTS",
    "ONE_WORD",
    "check_format",
    "check_passage_ids",
    "found_of_run",
    "write_found",
]

Lines = Iterator[str]


def _found(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Lines:
    return map(found_line, found)


def _trec(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Lines:
    return (run_lines(one.question.query_id, one.hits, tag) for one in found)


def _kilt(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Lines:
    return (guess_line(one.question.query_id, [hit[0] for hit in one.hits]) for one in found)


def _dpr(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Lines:
    """One JSON array, as DPR writes its retrieved contexts."""
    yield "["
    mark = "\n"
    for entry in _entries(found, passages):
        yield mark + entry
        mark = ",\n"
    yield "\n]\n"


def _fid(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Lines:
    """The same entries one a line: Fusion-in-Decoder's reader takes either (Izacard and Grave, EACL 2021)."""
    return (entry + "\n" for entry in _entries(found, passages))


def _entries(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    if passages is None:
        raise UsageError("contexts hold the passages' texts: name the model folder, which has them.")
    for one in found:
        yield json.dumps(context_entry(one.question, one.hits, passages), ensure_ascii=False)


FORMATS: dict[str, Callable[[Iterable[FoundQuery], PassageStore | None, str], Lines]] = {
    "genret-run": _found,
    "trec-run": _trec,
    "kilt-run": _kilt,
    "dpr-run": _dpr,
    "fid-run": _fid,
}
NEED_TEXTS = frozenset(["dpr-run", "fid-run"])
# Formats whose ids stand between blanks.
ONE_WORD = frozenset(["trec-run"])


def check_format(name: str) -> None:
    """Refuse a name that is none of `FORMATS`.

    Raises:
        UsageError: it is not.
    """
    if name not in FORMATS:
        raise UsageError(f"{name!r} is no format of a batch run; there are {', '.join(FORMATS)}.")


def check_passage_ids(passages: PassageStore) -> None:
    """Refuse, before a search, passages whose ids cannot stand between blanks.

    Raises:
        InputError: there is one.
    """
    for passage_id in passages.passage_ids:
        check_ids(passage_id)


def found_of_run(run: Run, queries: Iterable[Query], job: BatchOptions) -> Iterator[FoundQuery]:
    """What is written of a run that was searched at the job's depth: each of `queries`, in order, with its hits."""
    for query_id, text in queries:
        hits = (FoundPassage(passage_id, score) for passage_id, score in run.get(query_id, []))
        yield found_query(Question(query_id, text, []), hits, job)


def write_found(
    path: str | os.PathLike[str],
    found: Iterable[FoundQuery],
    format_name: str,
    passages: PassageStore | None = None,
    tag: str = "genret",
) -> None:
    """Write every query in the format of this name, atomically; contexts need the passages, TREC's lines a tag.

    Raises:
        UsageError: there is no such format, or it needs passages and there are none.
    """
    check_format(format_name)
    with text_writer(path) as file:
        for text in FORMATS[format_name](found, passages, tag):
            file.write(text.encode())
