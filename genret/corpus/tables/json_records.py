"""Records in JSON: a line each, or all in one array or object.

In an object of objects the name under which each stands is its `_id`; an object with a text is one record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from genret.corpus.formats.datafile import DataFile, show
from genret.corpus.formats.records import Record, parse_json, records
from genret.corpus.tables.fields import FieldNames, field_value, passages_of
from genret.corpus.types import Passage
from genret.errors import InputError

__all__ = ["array_passages", "line_passages"]

ID = "_id"


def line_passages(file: DataFile) -> Iterator[Passage]:
    """The passages of JSON lines, by whichever fields are named or have usual names.

    Raises:
        InputError: a line is no object, or a field is missing or wrong.
    """
    return passages_of(file, records(file))


def array_passages(file: DataFile) -> Iterator[Passage]:
    """The passages of one JSON array of records, an object of them, or one record; it is held in memory.

    Raises:
        InputError: it is other JSON, or a field is missing or wrong.
    """
    whole = replace(file, unit="record")
    return passages_of(whole, _records(whole))


def _records(file: DataFile) -> Iterator[Record]:
    try:
        content = parse_json(file.text())
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file.label}: not JSON ({error}).") from error
    found = _listed(file, content)
    for number, one in enumerate(found, 1):
        if number in file.skip:
            continue
        if not isinstance(one, dict):
            raise file.problem(number, f": expected an object with fields, found {show(one)}.")
        yield Record(file, number, one)


def _listed(file: DataFile, content: object) -> list[object]:
    """The records of a JSON text.

    Raises:
        InputError: it holds none.
    """
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        raise InputError(f"{file.label}: expected an array of objects, found {show(content)}.")
    if _has_text(file, content):
        return [content]
    if content and all(isinstance(one, dict) for one in content.values()):
        return [{ID: name, **one} for name, one in content.items()]
    inner = [name for name, one in content.items() if isinstance(one, list)]
    advice = f"; write what stands under {show(inner[0])} into a file of its own" if inner else ""
    raise InputError(
        f"{file.label}: expected an array of records, an object of them or one record, found an object of which no field "
        f"is the text (--text names it): {', '.join(map(show, content)) or 'it is empty'}{advice}."
    )


def _has_text(file: DataFile, content: dict[str, object]) -> bool:
    """Whether an object is a record: it has the field that is named, or one with a usual name, and a text in it."""
    try:
        names = FieldNames.of(Record(file, 1, content), file.options)
    except InputError:
        return False
    return any(isinstance(field_value(Record(file, 1, content), name), str) for name in names[1:] if name)
