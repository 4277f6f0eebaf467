"""BEIR's JSON lines: `corpus.jsonl` (`_id`, `title`, `text`, `metadata`) and `queries.jsonl` (`_id`, `text`).

N. Thakur et al., "BEIR", NeurIPS 2021. Ids may be whole numbers. A passage has a title, a text or both: either may be
empty, null or missing, as public corpora have them. Its metadata are the fields of `metadata`, and every other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping

from genret.corpus.formats.datafile import DataFile, EmptyFileError
from genret.corpus.formats.records import Record, Unique, records
from genret.corpus.tables.fields import metadata_of, tell_left
from genret.corpus.types import Passage, Query
from genret.corpus.writing import text_writer

__all__ = ["passages", "queries", "write_passages", "write_queries"]

KNOWN = frozenset(["_id", "id", "title", "url"])
# What is no metadata.
OWN = frozenset(["_id", "title", "text"])


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `corpus.jsonl`."""
    unique, count, left = Unique("passage"), 0, set[str]()
    for record in records(file):
        passage = _read_passage(record, unique.check(record, "_id"), left)
        if passage is not None:
            yield passage
            count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no passage; expected one JSON object a line.")
    tell_left(file, left)


def _read_passage(record: Record, passage_id: str, left: set[str]) -> Passage | None:
    """The passage of an object with `title` and `text`; None where both are blank and such are left out.

    What else it has is metadata; the names of what is not kept are added to `left`.

    Raises:
        LineError: a field is wrong, or both are blank.
    """
    title, text = record.text("title", default=""), record.text("text", default="")
    if "text" not in record.content:
        # A text under another name must not be lost.
        others = [one for one, value in record.content.items() if one not in KNOWN and isinstance(value, str)]
        if others or not title.strip():
            record.text("text")
    if title.strip() or text.strip():
        return Passage(passage_id, title, text, metadata_of(record, OWN, left))
    record.file.add_blank(record.line, passage_id)
    return None


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
    _write(path, map(_row, passages))


def _row(passage: Passage) -> dict[str, object]:
    row: dict[str, object] = {"_id": passage.passage_id, "title": passage.title, "text": passage.text}
    return row | ({"metadata": dict(passage.metadata)} if passage.metadata else {})


def write_queries(path: str | os.PathLike[str], queries: Iterable[Query]) -> None:
    """Write a `queries.jsonl`, atomically."""
    _write(path, ({"_id": query.query_id, "text": query.text} for query in queries))


def _write(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]]) -> None:
    with text_writer(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
