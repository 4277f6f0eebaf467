"""Columns with a header that names them: CSV, by the module csv, and TSV, quoted where fields are (see `columns`).

A column whose every value is a whole number, a number, or true or false, holds such values; any other holds text.
An empty value is absent.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from genret.corpus.formats.columns import table
from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import Record
from genret.corpus.tables.fields import FieldNames, passages_of
from genret.corpus.types import MetadataValue, Passage
from genret.errors import InputError

__all__ = ["csv_passages", "tsv_passages"]

# Commas, and what stands in their place where commas are decimal.
DELIMITERS = (",", ";")
KINDS = {
    "int": re.compile(r"-?(0|[1-9][0-9]{0,17})"),
    "float": re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?"),
    "bool": re.compile(r"true|false", re.IGNORECASE),
}
Rows = Iterator[tuple[int, list[str]]]


def csv_passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a CSV file, separated by commas or semicolons.

    Raises:
        InputError: its header does not name the columns, or a row has more or fewer of them.
    """
    return passages_of(file, _records(file, _csv_rows))


def tsv_passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a TSV file.

    Raises:
        InputError: as `csv_passages`.
    """
    return passages_of(file, _records(file, table))


def _csv_rows(file: DataFile) -> Rows:
    """The number of the line on which each row begins, and its values."""
    # The module's own limit would refuse long texts; it is the process's, and nothing else here reads CSV.
    csv.field_size_limit(sys.maxsize)
    lines = _Lines(file)
    mark = None
    while True:
        lines.first = None
        try:
            if mark is None:
                header = next(lines)
                lines.put_back()
                mark = _delimiter(header)
                reader = csv.reader(lines, delimiter=mark, strict=True)
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise file.problem(
                lines.first or 0,
                f": the row that begins here is no CSV ({error}); a quote inside a quoted value is written twice, and each "
                "has an end.",
            ) from error
        if any(value.strip() for value in values):
            yield lines.first or 0, values


def _delimiter(header: str) -> str:
    """What separates the columns of a header; of one column, a comma would."""
    split = (mark for mark in DELIMITERS if len(next(csv.reader([header], delimiter=mark), [])) > 1)
    return next(split, DELIMITERS[0])


class _Lines(Iterator[str]):
    """The lines of a file, and the number of the first that was read since `first` was None."""

    def __init__(self, file: DataFile) -> None:
        self._lines = ((number, file.decode(number, raw)) for number, raw in file.raw_lines())
        self._last: tuple[int, str] | None = None
        self._again = False
        self.first: int | None = None

    def __next__(self) -> str:
        if not self._again or self._last is None:
            self._last = next(self._lines)
        self._again = False
        self.first = self.first or self._last[0]
        return self._last[1]

    def put_back(self) -> None:
        """The line that was read last is read again."""
        self._again = True


def _records(file: DataFile, read: Callable[[DataFile], Rows]) -> Iterator[Record]:
    names, kinds = _columns(file, read(file))
    rows = read(file)
    next(rows)
    for number, values in rows:
        fitting = _fitting(file, number, values, names)
        content = {
            name: _value(value, kinds.get(name, "text"))
            for name, value in zip(names, fitting, strict=True)
            if name and (value.strip() or name not in kinds)
        }
        yield Record(file, number, content)


def _columns(file: DataFile, rows: Rows) -> tuple[list[str], dict[str, str]]:
    """The names of the columns, and of each that is metadata what all its values are: the file is read once for it."""
    header = next(rows, None)
    if header is None:
        raise EmptyFileError(
            f"{file.label}: it is empty; expected a header that names the columns, and rows."
        )
    names = _names(file, *header)
    own = FieldNames.of(Record(file, header[0], {name: "" for name in names if name}), file.options)
    possible = {name: dict(KINDS) for name in names if name and name not in own}
    for number, values in rows:
        for name, value in zip(names, _fitting(file, number, values, names), strict=True):
            if name in possible and possible[name] and value.strip():
                possible[name] = {
                    kind: form for kind, form in possible[name].items() if form.fullmatch(value)
                }
    return names, {name: next(iter(kinds), "text") for name, kinds in possible.items()}


def _value(text: str, kind: str) -> MetadataValue:
    if kind == "bool":
        return text.lower() == "true"
    return int(text) if kind == "int" else float(text) if kind == "float" else text


def _names(file: DataFile, number: int, values: list[str]) -> list[str]:
    """The names of a header; a column without one is of no use.

    Raises:
        InputError: two columns have one name, or none has any.
    """
    names = [value.strip() for value in values]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None or not any(names):
        fault = "names no column" if twice is None else f"names the column {show(twice)} twice"
        raise InputError(
            f"{file.label}, line {number}: the header {fault}; every column needs a name of its own."
        )
    return names


def _fitting(file: DataFile, number: int, values: list[str], names: Sequence[str]) -> list[str]:
    while len(values) > len(names) and not values[-1].strip():
        values.pop()
    if len(values) != len(names):
        raise file.problem(
            number,
            f": expected {len(names)} columns ({', '.join(names)}), found {len(values)}: {show(values)}. Quote values that "
            "hold the mark between columns.",
        )
    return values
