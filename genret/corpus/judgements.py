"""Judgements as files: BEIR's three columns, TREC's four, or BoolQ's own files.

Knows queries and passages by their ids only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Literal

from fm_index.container import atomic_writer
from genret.corpus import boolq
from genret.corpus.datafile import DataFile, EmptyFileError, data_file, find_file, list_files, show
from genret.corpus.runs import check_ids
from genret.corpus.types import Judgements
from genret.errors import InputError

__all__ = ["judgements", "read_judgements", "write_judgements"]

HEADER = ("query-id", "corpus-id", "score")
HEADER_GRADES = ("score", "grade", "relevance", "label", "rel")
GRADE = re.compile(r"[+-]?[0-9]{1,9}")


def read_judgements(
    path: str | os.PathLike[str],
    split: str | None = None,
    *,
    query_ids: Container[str] | None = None,
    passage_ids: Container[str] | None = None,
) -> Judgements:
    """query_id -> passage_id -> grade, from a judgement file, a BEIR folder, or BoolQ's files.

    A file has three columns (query, passage, grade; a header line is allowed) or TREC's four (query, iteration,
    passage, grade). A folder or an archive has `qrels/<split>.tsv`; `split` may be left out where there is one
    only. With `query_ids` or `passage_ids`, a judgement for any other query or passage is refused.

    Raises:
        InputError: nothing there can be read as judgements, or a line is wrong.
    """
    file = data_file(path)
    if file is None:
        splits = _splits(Path(path))
        split = _choose(Path(path), splits, split)
        file = splits[split]
        if file is None:
            return boolq.judgements(Path(path), split)
    return judgements(file, query_ids=query_ids, passage_ids=passage_ids)


def judgements(
    file: DataFile,
    *,
    query_ids: Container[str] | None = None,
    passage_ids: Container[str] | None = None,
) -> Judgements:
    """The judgements of one file, see `read_judgements`."""
    judged: Judgements = {}
    for number, query_id, passage_id, grade in _rows(file):
        _known(file, number, "query", query_id, query_ids)
        _known(file, number, "passage", passage_id, passage_ids)
        grades = judged.setdefault(query_id, {})
        if grades.setdefault(passage_id, grade) != grade:
            raise file.problem(
                number,
                f": query {show(query_id)} and passage {show(passage_id)} were judged {grades[passage_id]} "
                f"before and {grade} here; keep one.",
            )
    if not judged:
        raise EmptyFileError(
            f"{file.label}: it has no judgement; expected query, passage and grade on each line."
        )
    return judged


def write_judgements(
    path: str | os.PathLike[str], judgements: Judgements, form: Literal["beir", "trec"] | None = None
) -> None:
    """Write judgements in BEIR's three columns with a header, or in TREC's four.

    Without `form`, BEIR's where `path` ends in `.tsv`, else TREC's.

    Raises:
        InputError: an id is empty or holds white space.
    """
    beir = (form or ("beir" if Path(path).suffix == ".tsv" else "trec")) == "beir"
    with atomic_writer(path) as file:
        if beir:
            file.write("\t".join(HEADER).encode() + b"\n")
        for query_id, grades in judgements.items():
            for passage_id, grade in grades.items():
                check_ids(query_id, passage_id)
                columns = (query_id, passage_id) if beir else (query_id, "0", passage_id)
                file.write("\t".join([*columns, str(grade)]).encode() + b"\n")


def _rows(file: DataFile) -> Iterator[tuple[int, str, str, int]]:
    """Line number, query_id, passage_id and grade; tabs separate where there are any, else white space."""
    for index, (number, line) in enumerate(file.lines()):
        columns = line.split("\t") if "\t" in line else line.split()
        if len(columns) not in (3, 4):
            raise file.problem(
                number,
                ": expected query, passage and grade (3 columns) or TREC's 4 columns, found "
                f"{len(columns)}: {show(line)}.",
            )
        query_id, passage_id, grade = columns[0].strip(), columns[-2].strip(), columns[-1].strip()
        if index == 0 and grade.lower() in HEADER_GRADES:
            continue
        for name, value in (("query", query_id), ("passage", passage_id)):
            if not value:
                raise file.problem(number, f": the {name} id is empty: {show(line)}.")
        yield number, query_id, passage_id, _grade(file, number, grade)


def _grade(file: DataFile, number: int, text: str) -> int:
    if not GRADE.fullmatch(text):
        raise file.problem(number, f": expected a whole number as grade, found {show(text)}.")
    return int(text)


def _known(file: DataFile, number: int, what: str, value: str, ids: Container[str] | None) -> None:
    if ids is not None and value not in ids:
        raise file.problem(number, f": {what} {show(value)} is judged, but there is no such {what}.")


def _splits(place: Path) -> dict[str, DataFile | None]:
    """The splits that have judgements, with their files; BoolQ's splits are in its own files (None)."""
    splits: dict[str, DataFile | None] = {}
    for name in list_files(place):
        parts = name.split("/")
        if len(parts) > 1 and parts[-2] == "qrels" and ".tsv" in parts[-1]:
            split = parts[-1].split(".tsv")[0]
            splits[split] = find_file(place, f"qrels/{split}.tsv")
    if not splits and boolq.holds(place):
        return dict.fromkeys(boolq.SPLITS)
    return splits


def _choose(place: Path, splits: dict[str, DataFile | None], split: str | None) -> str:
    if not splits:
        raise InputError(
            f"{place}: no judgements; expected qrels/<split>.tsv in it, or give a judgement file."
        )
    listed = ", ".join(sorted(splits))
    if split is None and len(splits) > 1:
        raise InputError(f"{place}: has judgements for several splits ({listed}); name one.")
    if split is not None and split not in splits:
        raise InputError(f"{place}: no judgements for the split {show(split)}; it has {listed}.")
    return next(iter(splits)) if split is None else split
