"""JSON lines as records with checked fields; a complaint names file, line, field and value."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import xxhash

from genret.corpus.formats.datafile import DataFile, show
from genret.corpus.formats.runs import check_ids
from genret.errors import InputError

__all__ = [
    "NOWHERE",
    "Record",
    "Unique",
    "begins_array",
    "begins_object",
    "json_object",
    "named",
    "parse_json",
    "records",
]

# Stands for a file where ids of several are compared, or of what was made of one.
NOWHERE = DataFile(Path())
# Ids that are held in memory to be compared at once.
HELD = 1 << 18
# A column may begin with a bracket as well; JSON goes on in its own way.
OBJECT = re.compile(r'\s*\{\s*("|\}\s*$|$)')
ARRAY = re.compile(r'\s*\[\s*(\{\s*("|$)|\]\s*$|$)')
# How JSON spells half of a pair; most are whole.
HALF = re.compile(r"\\u[dD][89a-fA-F]")
ONE_A_LINE = "write them one a line (jq -c '{}' FILE > COPY)"
ROW = np.dtype([("hash", np.uint64), ("line", np.int64)])


class Record:
    """One JSON object and the line that it stands on."""

    def __init__(self, file: DataFile, line: int, content: dict[str, Any]) -> None:
        self.file, self.line, self.content = file, line, content

    def text(self, field: str, default: str | None = None) -> str:
        """A field that must be a string with a visible character; with `default` it may be missing, null or empty."""
        value = self.content.get(field)
        if value is None and default is not None:
            return default
        if field not in self.content:
            raise self.problem(field, f"missing; expected a string. The line has: {self._fields()}.")
        if not isinstance(value, str):
            raise self.problem(field, f"expected a string, found {show(value)} ({type(value).__name__}).")
        if default is None and not value.strip():
            raise self.problem(field, "empty; give it a text or drop the line.")
        return self._clean(field, value)

    def identifier(self, field: str) -> str:
        """A field that names something: a string without white space at its ends, or a whole number."""
        found = self.content.get(field)
        whole = isinstance(found, int) and not isinstance(found, bool)
        value = str(found) if whole else self.text(field)
        if value != value.strip():
            raise self.problem(field, f"{show(value)} begins or ends with white space; an id must not.")
        return value

    def problem(self, field: str, text: str) -> InputError:
        """A complaint about one field, to be raised."""
        return self.file.problem(self.line, f", field {field!r}: {text}")

    def _clean(self, field: str, value: str) -> str:
        if "\0" in value:
            raise self.problem(field, f"a NUL at character {value.index(chr(0)) + 1}; remove it.")
        return value

    def _fields(self) -> str:
        return ", ".join(show(name) for name in self.content) or "no field"


class Unique:
    """Refuses an id that occurred before, and names both lines.

    Among the latest `HELD` ids at once. What is older goes to a temporary file as hashes, where `finish` finds the
    repetitions: memory does not grow with the file.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lines: dict[str, int] = {}
        self._older: IO[bytes] | None = None

    def check(self, record: Record, field: str) -> str:
        """The record's id."""
        value = record.identifier(field)
        self.add(record.file, record.line, field, value)
        return value

    def read(self, file: DataFile, line: int, field: str, value: str) -> str:
        """The id `value` of a line of columns."""
        self.add(file, line, field, named(file, line, field, value))
        return value

    def add(self, file: DataFile, line: int, field: str, value: str) -> None:
        """Remember the id `value` of `line`; refuse it if a recent line has it."""
        if file.one_word:
            self._check_word(file, line, field, value)
        first = self._lines.setdefault(value, line)
        if first != line:
            raise self._repeated(file, line, f", field {field!r}: {show(value)}", first)
        if len(self._lines) >= HELD:
            self._spill()

    @staticmethod
    def _check_word(file: DataFile, line: int, field: str, value: str) -> None:
        try:
            check_ids(value)
        except InputError as error:
            raise file.problem(line, f", field {field!r}: {error}") from error

    def finish(self, file: DataFile) -> None:
        """At the end of the file: refuse ids that are far apart in it and equal."""
        if self._older is None:
            return
        self._spill()
        for rows in self._parts(self._older):
            rows = rows[np.argsort(rows["hash"], kind="stable")]
            (repeated,) = np.nonzero(rows["hash"][1:] == rows["hash"][:-1])
            if len(repeated):
                first, line = rows["line"][repeated[0] : repeated[0] + 2].tolist()
                raise self._repeated(file, line, ": its id", first)

    def _repeated(self, file: DataFile, line: int, what: str, first: int) -> InputError:
        return file.problem(
            line, f"{what} stands on {file.unit} {first} already; every {self._what} needs an id of its own."
        )

    def _spill(self) -> None:
        """Append hash and line of each id to the temporary file, which has no name."""
        if self._older is None:
            self._older = tempfile.TemporaryFile()  # noqa: SIM115
        rows = np.empty(len(self._lines), ROW)
        rows["hash"] = [xxhash.xxh3_64_intdigest(value.encode()) for value in self._lines]
        rows["line"] = list(self._lines.values())
        self._older.write(rows.tobytes())
        self._lines.clear()

    @staticmethod
    def _parts(spilled: IO[bytes]) -> Iterator[npt.NDArray[np.void]]:
        """The rows in parts of about `HELD`, by their hashes, so that equal hashes are in one part."""
        size = ROW.itemsize * HELD
        parts = -(-spilled.tell() // size)
        for part in range(parts):
            spilled.seek(0)
            found = []
            while data := spilled.read(size):
                rows = np.frombuffer(data, ROW)
                found.append(rows[rows["hash"] % np.uint64(parts) == part])
            yield np.concatenate(found)


def named(file: DataFile, line: int, field: str, value: str) -> str:
    """`value`, which names something in a line of columns.

    Raises:
        LineError: it is empty, or has white space at its ends.
    """
    if not value or value != value.strip():
        what = "begins or ends with white space" if value.strip() else "is empty"
        raise file.problem(line, f", field {field!r}: {show(value)} {what}; an id must not.")
    return value


def begins_object(line: str) -> bool:
    """Whether a line begins as a JSON object does."""
    return OBJECT.match(line) is not None


def begins_array(line: str) -> bool:
    """Whether a line begins as a JSON array of objects does."""
    return ARRAY.match(line) is not None


def records(file: DataFile) -> Iterator[Record]:
    """Every line of a JSON lines file.

    Raises:
        InputError: a line is not a JSON object.
    """
    for number, line in file.lines():
        yield Record(file, number, json_object(file, number, line))


def json_object(file: DataFile, number: int, line: str) -> dict[str, Any]:
    """The object of a line of JSON lines.

    Raises:
        LineError: the line is no JSON object.
    """
    if begins_array(line):
        raise file.problem(
            number, f": expected one JSON object a line, found an array; {ONE_A_LINE.format('.[]')}."
        )
    if line.strip() == "{":
        raise file.problem(number, f": expected one whole JSON object a line; {ONE_A_LINE.format('.')}.")
    try:
        content = parse_json(line)
    except ValueError as error:
        raise file.problem(number, f": not JSON ({error}): {show(line)}.") from error
    if not isinstance(content, dict):
        raise file.problem(number, f": expected a JSON object, found {show(content)}.")
    return content


def parse_json(text: str) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: it is not JSON, is nested too deeply, gives one name two values, or holds half a surrogate pair,
            which no file could hold again.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
        if HALF.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        code = ascii(error.object[error.start])
        raise ValueError(f"half a surrogate pair ({code}); write whole characters") from error
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next((name for name, value in pairs if content[name] != value), None)
        if twice is not None:
            raise ValueError(f"{show(twice)} stands twice in one object, with two values")
    return content
