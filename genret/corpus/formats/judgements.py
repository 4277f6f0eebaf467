"""Judgements as files: BEIR's three columns (with a header line or without), TREC's four, or MTEB's JSON lines.

Knows queries and passages by their ids only. Blanks at the end of a line and blank lines say nothing, nor do
lines that begin with `# `, where no header of BEIR's came before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from typing import Literal

from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import records
from genret.corpus.formats.runs import BLANK, check_ids, check_query_id, columns, is_comment
from genret.corpus.types import Judgements
from genret.corpus.writing import text_writer, uncompressed_suffix
from genret.errors import InputError

__all__ = ["HEADER", "fields", "header_places", "json_judgements", "judgements", "write_judgements"]

HEADER = ("query-id", "corpus-id", "score")
HEADER_GRADE = re.compile(r"(?:(?:score|grade|relevance|label|rel|rating|judge?ment)[_-]?)+", re.IGNORECASE)
# What headers call the other columns, in lower case, without "_", "-" and spaces.
QUERY_NAMES = frozenset(["query", "queryid", "qid", "topic", "topicid", "question", "questionid"])
PASSAGE_NAMES = frozenset(
    ["corpusid", "passage", "passageid", "pid", "doc", "docid", "docno", "document", "documentid", "did"]
)
# Query, passage and grade, in BEIR's columns and in TREC's.
USUAL = (0, -2, -1)
# A whole number, if written as 1.0.
GRADE = re.compile(r"([+-]?[0-9]{1,9})(?:\.0*)?")
# What stands in TREC's second column.
ITERATIONS = ("0", "Q0", "q0")


def judgements(
    file: DataFile,
    *,
    query_ids: Container[str] | None = None,
    passage_ids: Container[str] | None = None,
) -> Judgements:
    """query_id -> passage_id -> grade; with `query_ids` or `passage_ids`, any other query or passage is refused."""
    return _collected(file, _rows(file), query_ids, passage_ids)


def json_judgements(file: DataFile) -> Judgements:
    """The same of JSON lines with `query-id`, `corpus-id` and `score`, as MTEB's data sets have them."""
    return _collected(file, _objects(file), None, None)


def _collected(
    file: DataFile,
    rows: Iterator[tuple[int, str, str, int]],
    query_ids: Container[str] | None,
    passage_ids: Container[str] | None,
) -> Judgements:
    judged: Judgements = {}
    for number, query_id, passage_id, grade in rows:
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

    Without `form`, BEIR's where `path` ends in `.tsv` (or `.tsv.gz`), else TREC's.

    Raises:
        InputError: an id is empty, or holds white space that separates columns.
    """
    beir = (form or ("beir" if uncompressed_suffix(path) == ".tsv" else "trec")) == "beir"
    with text_writer(path) as file:
        if beir:
            file.write("\t".join(HEADER).encode() + b"\n")
        for query_id, grades in judgements.items():
            if not beir:
                check_query_id(query_id)
            for passage_id, grade in grades.items():
                (_check_tabbed if beir else check_ids)(query_id, passage_id)
                columns = (query_id, passage_id) if beir else (query_id, "0", passage_id)
                file.write("\t".join([*columns, str(grade)]).encode() + b"\n")


def _check_tabbed(*ids: str) -> None:
    """Refuse ids that columns between tabs cannot hold; spaces inside are none of theirs."""
    for value in ids:
        if not value or value != value.strip() or any(character in value for character in "\t\n\r"):
            raise InputError(
                f"the id {show(value)} cannot stand between tabs: it is empty, or a tab, a line end or white space at "
                "its ends is in it."
            )


def _rows(file: DataFile) -> Iterator[tuple[int, str, str, int]]:
    """Line number, query_id, passage_id and grade."""
    first, places = True, None
    for number, line in file.lines():
        if places is None and is_comment(line):
            continue
        row = fields(line, beir=places is not None)
        if first:
            first, places = False, header_places(row)
            if places is not None:
                continue
        if len(row) not in (3, 4):
            raise file.problem(
                number,
                ": expected query, passage and grade (3 columns) or TREC's 4 columns, found "
                f"{len(row)}: {show(line)}.",
            )
        query_id, passage_id, grade = (row[place] for place in places or USUAL)
        for name, value in (("query", query_id), ("passage", passage_id)):
            if not value:
                raise file.problem(number, f": the {name} id is empty: {show(line)}.")
        yield number, query_id, passage_id, _grade(file, number, grade)


def _objects(file: DataFile) -> Iterator[tuple[int, str, str, int]]:
    """Line number, query_id, passage_id and grade; whole grades may be written as 1.0."""
    query_field, passage_field, grade_field = HEADER
    for record in records(file):
        query_id, passage_id = record.identifier(query_field), record.identifier(passage_field)
        if grade_field not in record.content:
            raise record.problem(grade_field, "missing; expected a whole number.")
        yield record.line, query_id, passage_id, _grade(file, record.line, str(record.content[grade_field]))


def header_places(row: list[str]) -> tuple[int, int, int] | None:
    """Where a header has query, passage and grade, or -1 as the last of its columns; None for any other row.

    A column of grades makes a header; the other two are where their names are, or else where they usually are.
    """
    grades = [place for place, name in enumerate(row) if HEADER_GRADE.fullmatch(name)]
    if len(row) not in (3, 4) or not grades:
        return None
    plain = [re.sub(r"[\s_-]", "", name).lower() for name in row]
    queries = [place for place, name in enumerate(plain) if name in QUERY_NAMES]
    passages = [place for place, name in enumerate(plain) if name in PASSAGE_NAMES]
    if len(queries) == len(passages) == len(grades) == 1:
        return queries[0], passages[0], grades[0]
    return USUAL if grades[-1] == len(row) - 1 else None


def fields(line: str, *, beir: bool = False) -> list[str]:
    """The columns of a line, without blanks at its end: BEIR's between tabs, TREC's between any blanks.

    Where no header said that a file is BEIR's, four columns of which TREC's iteration is the second are TREC's.
    """
    trec = columns(line.rstrip(BLANK))
    if "\t" not in line or (not beir and len(trec) == 4 and trec[1] in ITERATIONS):
        return trec
    tabbed = [field.strip(BLANK) for field in line.rstrip(BLANK).split("\t")]
    return tabbed if len(tabbed) in (3, 4) else trec


def _grade(file: DataFile, number: int, text: str) -> int:
    match = GRADE.fullmatch(text)
    if match is None:
        raise file.problem(number, f": expected a whole number as grade, found {show(text)}.")
    return int(match[1])


def _known(file: DataFile, number: int, what: str, value: str, ids: Container[str] | None) -> None:
    if ids is not None and value not in ids:
        raise file.problem(number, f": {what} {show(value)} is judged, but there is no such {what}.")
