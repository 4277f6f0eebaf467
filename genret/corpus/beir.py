"""Corpora, queries and judgements of a folder in BEIR's layout, or of BoolQ's own files.

BEIR's layout: `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`) and `qrels/<split>.tsv`,
each plain, `.gz` or `.zst`, in a folder or inside a zip archive. N. Thakur et al., "BEIR", NeurIPS 2021.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fm_index.container import atomic_writer
from genret.corpus import boolq
from genret.corpus.datafile import DataFile, EmptyFileError, data_file, find_file, list_files
from genret.corpus.records import Unique, records
from genret.corpus.types import Passage, Query
from genret.errors import InputError

__all__ = ["passages", "queries", "read_passages", "read_queries", "write_passages", "write_queries"]


def read_passages(path: str | os.PathLike[str]) -> Iterator[Passage]:
    """The passages of a BEIR folder, of its `corpus.jsonl`, or of BoolQ's files, in file order, as a stream.

    `path` may be a folder, a zip archive (a wheel is one) that holds it, or the file itself, compressed or not.

    Raises:
        InputError: nothing there can be read as passages, or a line is wrong; raised when the stream gets there.
    """
    file = data_file(path) or find_file(Path(path), "corpus.jsonl")
    if file is not None:
        yield from passages(file)
    elif boolq.holds(Path(path)):
        yield from boolq.passages(Path(path))
    else:
        raise _nothing(Path(path), "corpus.jsonl")


def read_queries(path: str | os.PathLike[str]) -> Iterator[Query]:
    """The queries of a BEIR folder, of its `queries.jsonl`, or of BoolQ's files, in file order, as a stream.

    Raises:
        InputError: as `read_passages`.
    """
    file = data_file(path) or find_file(Path(path), "queries.jsonl")
    if file is not None:
        yield from queries(file)
    elif boolq.holds(Path(path)):
        yield from boolq.queries(Path(path))
    else:
        raise _nothing(Path(path), "queries.jsonl")


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `corpus.jsonl`."""
    unique, count = Unique("passage"), 0
    for record in records(file):
        passage_id = unique.check(record, "_id")
        yield Passage(passage_id, record.text("title", default=""), record.text("text"))
        count += 1
    if not count:
        raise EmptyFileError(f"{file.label}: it has no passage; expected one JSON object a line.")


def queries(file: DataFile) -> Iterator[Query]:
    """The queries of a `queries.jsonl`."""
    unique, count = Unique("query"), 0
    for record in records(file):
        yield Query(unique.check(record, "_id"), record.text("text"))
        count += 1
    if not count:
        raise EmptyFileError(f"{file.label}: it has no query; expected one JSON object a line.")


def write_passages(path: str | os.PathLike[str], passages: Iterable[Passage]) -> None:
    """Write a `corpus.jsonl`, atomically."""
    _write(path, ({"_id": p.passage_id, "title": p.title, "text": p.text} for p in passages))


def write_queries(path: str | os.PathLike[str], queries: Iterable[Query]) -> None:
    """Write a `queries.jsonl`, atomically."""
    _write(path, ({"_id": query.query_id, "text": query.text} for query in queries))


def _write(path: str | os.PathLike[str], rows: Iterable[dict[str, str]]) -> None:
    with atomic_writer(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _nothing(place: Path, name: str) -> InputError:
    names = list_files(place)
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "nothing"
    return InputError(
        f"{place}: no {name} (plain, .gz or .zst), nor BoolQ's train.jsonl and dev.jsonl; it holds {listed}."
    )
