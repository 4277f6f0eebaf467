"""MS MARCO's files: collection, queries and runs, each line tab-separated columns; judgements are TREC's.

P. Bajaj et al., "MS MARCO", 2016. A collection has no titles: a passage's title goes in front of its text.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import Unique
from genret.corpus.formats.runs import NO_PASSAGE, check_ids
from genret.corpus.types import Passage, Query, Run
from genret.corpus.writing import text_writer

__all__ = ["flat", "passages", "queries", "rows", "run", "write_passages", "write_queries", "write_run"]


def rows(file: DataFile, fields: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and the tab-separated columns, none of them blank.

    Raises:
        InputError: another number of columns, a blank one, or no line at all.
    """
    number = 0
    for number, line in file.lines():
        columns = line.split("\t")
        if len(columns) != len(fields):
            raise file.problem(
                number,
                f": expected {len(fields)} tab-separated columns ({', '.join(fields)}), found {len(columns)}: "
                f"{show(line)}.",
            )
        for field, value in zip(fields, columns, strict=True):
            if not value.strip():
                raise file.problem(number, f", field {field!r}: empty; give it a value or drop the line.")
        yield number, columns
    if not number:
        raise EmptyFileError(f"{file.label}: it has no line; expected the columns {', '.join(fields)}.")


def flat(text: str) -> str:
    """`text` with every run of white space as one space: what a column of a tab-separated file can hold."""
    return " ".join(text.split())


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `collection.tsv` (passage id, text)."""
    unique = Unique("passage")
    for number, (passage_id, text) in rows(file, ("pid", "passage")):
        unique.add(file, number, "pid", passage_id)
        yield Passage(passage_id, "", text)
    unique.finish(file)


def queries(file: DataFile) -> Iterator[Query]:
    """The queries of a `queries.tsv` (query id, text)."""
    unique = Unique("query")
    for number, (query_id, text) in rows(file, ("qid", "query")):
        unique.add(file, number, "qid", query_id)
        yield Query(query_id, text)
    unique.finish(file)


def run(file: DataFile) -> Run:
    """A run of three columns (query id, passage id, rank); a hit's score is minus its rank."""
    found: dict[str, dict[str, int]] = {}
    for number, (query_id, passage_id, text) in rows(file, ("qid", "pid", "rank")):
        if not (text.isascii() and text.isdigit() and int(text)):
            raise file.problem(number, f", field 'rank': expected a whole number from 1, found {show(text)}.")
        hits = found.setdefault(query_id, {})
        if passage_id in hits or int(text) in hits.values():
            raise file.problem(
                number, f": query {show(query_id)} has passage {show(passage_id)} or rank {text} twice."
            )
        if passage_id != NO_PASSAGE:
            hits[passage_id] = int(text)
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
