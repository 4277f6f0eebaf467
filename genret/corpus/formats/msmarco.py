"""MS MARCO's files: collection, queries and runs, each line tab-separated columns; judgements are TREC's.

P. Bajaj et al., "MS MARCO", 2016. A collection has no titles: a passage's title goes in front of its text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from genret.corpus.formats.columns import CORPUS, QUERIES, RANKS, flat, rows
from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import Unique, named
from genret.corpus.formats.runs import NO_PASSAGE, check_ids
from genret.corpus.types import Passage, Query, Run
from genret.corpus.writing import text_writer

__all__ = ["passages", "queries", "read_passages", "run", "write_passages", "write_queries", "write_run"]

RANK = re.compile(r"0*[1-9][0-9]{0,8}")


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `collection.tsv` (passage id, text), with a header or without."""
    return read_passages(file, ("id", "text"), quoted=False)


def read_passages(file: DataFile, due: tuple[str, ...], *, quoted: bool) -> Iterator[Passage]:
    """The passages of a file of columns, those that are `due` where it has no header."""
    unique, count = Unique("passage"), 0
    for number, row in rows(file, CORPUS, due, quoted=quoted):
        passage = Passage(unique.read(file, number, "id", row["id"]), row.get("title", ""), row["text"])
        if passage.title.strip() or passage.text.strip():
            yield passage
            count += 1
        else:
            file.add_blank(number, passage.passage_id)
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no passage; expected the columns {', '.join(due)}.")


def queries(file: DataFile) -> Iterator[Query]:
    """The queries of a `queries.tsv` (query id, text), with a header or without."""
    unique, count = Unique("query"), 0
    for number, row in rows(file, QUERIES, ("id", "query")):
        query_id = unique.read(file, number, "id", row["id"])
        if not row["query"].strip():
            raise file.problem(number, ", field 'query': empty; give it a value or drop the line.")
        yield Query(query_id, row["query"])
        count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no query; expected the columns id, query.")


def run(file: DataFile) -> Run:
    """A run of three columns (query id, passage id, rank); a hit's score is minus its rank."""
    found: dict[str, dict[str, int]] = {}
    lines: dict[tuple[str, str | int], int] = {}
    for number, row in rows(file, RANKS, tuple(RANKS)):
        query_id, passage_id, text = (
            named(file, number, "qid", row["qid"]),
            named(file, number, "pid", row["pid"]),
            row["rank"],
        )
        if not RANK.fullmatch(text):
            raise file.problem(number, f", field 'rank': expected a whole number from 1, found {show(text)}.")
        for what in (passage_id, int(text)):
            first = lines.setdefault((query_id, what), number)
            if first != number:
                raise file.problem(
                    number,
                    f": query {show(query_id)} has passage {show(passage_id)} or rank {text} twice, on line {first} "
                    "already.",
                )
        hits = found.setdefault(query_id, {})
        if passage_id != NO_PASSAGE:
            hits[passage_id] = int(text)
    if not found:
        raise EmptyFileError(f"{file.label}: it has no line; expected the columns {', '.join(RANKS)}.")
    return {
        query_id: [
            (passage_id, -float(rank)) for passage_id, rank in sorted(hits.items(), key=lambda hit: hit[1])
        ]
        for query_id, hits in found.items()
    }


def write_passages(path: str | os.PathLike[str], passages: Iterable[Passage]) -> None:
    """Write a collection; a title goes in front of the text, white space becomes single spaces."""
    _write(path, ((passage.passage_id, flat(passage.full_text)) for passage in passages))


def write_queries(path: str | os.PathLike[str], queries: Iterable[Query]) -> None:
    """Write queries; white space in their texts becomes single spaces."""
    _write(path, ((query.query_id, flat(query.text)) for query in queries))


def write_run(path: str | os.PathLike[str], run: Run) -> None:
    """Write a run's ranks; a query without hits gets one line for the passage `<none>`."""
    _write(
        path,
        (
            (query_id, passage_id, str(rank))
            for query_id, hits in run.items()
            for rank, (passage_id, _) in enumerate(hits or [(NO_PASSAGE, 0.0)], 1)
        ),
    )


def _write(path: str | os.PathLike[str], rows: Iterable[tuple[str, ...]]) -> None:
    with text_writer(path) as file:
        for row in rows:
            check_ids(*(value for value in row[:-1] if value != NO_PASSAGE))
            file.write("\t".join(row).encode() + b"\n")
