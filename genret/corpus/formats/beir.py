"""BEIR's JSON lines: `corpus.jsonl` (`_id`, `title`, `text`) and `queries.jsonl` (`_id`, `text`).

N. Thakur et al., "BEIR", NeurIPS 2021. A title may be missing or empty; ids and texts may not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from genret.corpus.formats.datafile import DataFile, EmptyFileError
from genret.corpus.formats.records import Unique, records
from genret.corpus.types import Passage, Query
from genret.corpus.writing import text_writer

__all__ = ["passages", "queries", "write_passages", "write_queries"]


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `corpus.jsonl`."""
    unique, count = Unique("passage"), 0
    for record in records(file):
        passage_id = unique.check(record, "_id")
        yield Passage(passage_id, record.text("title", default=""), record.text("text"))
        count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no passage; expected one JSON object a line.")


def queries(file: DataFile) -> Iterator[Query]:
    """The queries of a `queries.jsonl`."""
    unique, count = Unique("query"), 0
    for record in records(file):
        yield Query(unique.check(record, "_id"), record.text("text"))
        count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no query; expected one JSON object a line.")


def write_passages(path: str | os.PathLike[str], passages: Iterable[Passage]) -> None:
    """Write a `corpus.jsonl`, atomically."""
    _write(path, ({"_id": p.passage_id, "title": p.title, "text": p.text} for p in passages))


def write_queries(path: str | os.PathLike[str], queries: Iterable[Query]) -> None:
    """Write a `queries.jsonl`, atomically."""
    _write(path, ({"_id": query.query_id, "text": query.text} for query in queries))


def _write(path: str | os.PathLike[str], rows: Iterable[dict[str, str]]) -> None:
    with text_writer(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
