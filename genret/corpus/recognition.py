"""What files of texts, records and columns are, from their names and their first lines. Knows formats' names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from genret.corpus.formats import judgements as qrels
from genret.corpus.formats import runs as trec
from genret.corpus.formats.columns import CORPUS, header_kind, own_columns, plain_name
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.records import begins_array, begins_object, parse_json

__all__ = ["DOCUMENTS", "NO_INPUT", "TABLES", "TEXTS", "column_formats", "json_formats", "records_format"]

# What files of text are called.
DOCUMENTS = {
    ".md": "markdown-corpus",
    ".markdown": "markdown-corpus",
    ".rst": "rst-corpus",
    ".html": "html-corpus",
    ".htm": "html-corpus",
    ".xhtml": "html-corpus",
}
# Of files of any format, and of plain text.
TEXTS = (".txt", ".text")
# Files of records with named fields.
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather")
JSON_LINES = (".jsonl", ".ndjson")
DPR_ARRAYS = ["dpr-run", "dpr-queries", "dpr-judgements"]
FIRST_LINES = 50  # of an array, where its first object is looked at
# What a line with answers and without an input is of.
NO_INPUT = ["kilt-run", "kilt-judgements", "kilt-queries"]


def records_format(file: DataFile, line: str) -> str:
    """The format of a file of records with named fields."""
    if begins_object(line) or begins_array(line):
        return "json-corpus" if _is_whole(file, line) else "jsonl-corpus"
    return "tsv-corpus" if "\t" in line else "csv-corpus"


def _is_whole(file: DataFile, line: str) -> bool:
    """Whether a file that begins with this line is one JSON text, and not one a line."""
    if begins_array(line) or file.suffix in JSON_LINES:
        return begins_array(line)
    try:
        parse_json(line)
    except ValueError:
        return True
    return file.suffix == ".json" and next(islice(file.lines(), 1, None), None) is None


def json_formats(file: DataFile, line: str) -> list[str]:
    """The formats of a file in JSON that begins with this line."""
    if line.lstrip().startswith("["):
        is_dpr = any('"question"' in text for _, text in islice(file.lines(), FIRST_LINES))
        return DPR_ARRAYS if is_dpr else ["json-corpus"]
    try:
        content = parse_json(line)
    except ValueError:
        return ["json-corpus"] if _is_whole(file, line) else []
    fields = set(content)
    if {"query_id", "hits"} <= fields:
        return ["genret-run"]
    if "ctxs" in fields:
        return ["fid-run"]
    if "wikipedia_title" in fields:
        return ["kilt-corpus"]
    if set(qrels.HEADER) <= fields:
        return ["mteb-judgements"]
    if "_id" in fields:
        return ["beir-corpus" if "title" in fields or "corpus" in _name(file) else "beir-queries"]
    if "input" in fields:
        return ["kilt-queries", "kilt-judgements"] if "output" in fields else ["kilt-queries"]
    if "output" in fields:
        return NO_INPUT if _has_answer(content["output"]) else ["kilt-run"]
    if _is_whole(file, line):
        return ["json-corpus"]
    plain = set(map(plain_name, fields))
    # BEIR's own file is refused where it lacks what BEIR's has.
    named = CORPUS["id"] & plain or not _name(file).startswith("corpus.jsonl")
    return ["jsonl-corpus"] if CORPUS["text"] & plain and named else []


def _has_answer(outputs: object) -> bool:
    """Whether a KILT line gives answers: the gold of a task does, guesses may."""
    listed = outputs if isinstance(outputs, list) else []
    return any(isinstance(output, dict) and output.get("answer") for output in listed)


def column_formats(file: DataFile, line: str) -> list[str]:
    """The formats of a file in columns that begins with this line; its first is neither blank nor a comment."""
    columns = line.split("\t")
    if file.suffix == ".csv" and len(columns) == 1:
        return ["csv-corpus"]
    if own := own_columns(line, file.suffix):
        return [f"{own}-corpus"]
    if trec.is_line(line):
        return ["trec-run"]
    kind = header_kind(line)
    if kind == "corpus" and "title" in line.lower():
        return ["dpr-corpus"]
    if kind in ("corpus", "queries") and len(columns) == 2:
        return [f"msmarco-{kind}"]
    judged = qrels.fields(line)
    if len(columns) == 2 and not (len(judged) == 4 and not columns[1].strip()):
        if columns[1].lstrip('"').startswith("["):
            return ["dpr-queries"]
        named = [
            kind for kind, part in (("corpus", "collection"), ("queries", "quer")) if part in _name(file)
        ]
        return [f"msmarco-{kind}" for kind in named or ("corpus", "queries")]
    if len(judged) == 4 and (file.suffix not in TEXTS or qrels.header_places(judged) or _has_number(judged)):
        return ["trec-judgements"]
    if len(judged) == 3 and len(columns) > 1:
        is_certain = (
            qrels.header_places(judged) is not None
            or "qrels" in _name(file)
            or file.place.parent.name == "qrels"
        )
        return ["beir-judgements"] if is_certain else ["beir-judgements", "msmarco-run"]
    return []


def _has_number(values: Iterable[str]) -> bool:
    return any(value.lstrip("+-").isdecimal() for value in values)


def _name(file: DataFile) -> str:
    return file.place.name.lower()
