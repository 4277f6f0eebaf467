"""What passages say of themselves beside title and text, as columns: one a field, with one type.

Knows names, values and rows; knows nothing of passages. A column of text whose strings repeat is stored as numbers
of the distinct ones. Built as a stream: some 10 bytes a passage and field in memory, texts in temporary files.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from docid.strings import Strings, fault_in_strings, packed_strings
from fm_index.container import Section
from genret.corpus.formats.datafile import show
from genret.corpus.spool import StringColumn
from genret.corpus.types import MetadataValue
from genret.errors import InputError

__all__ = [
    "INT64",
    "NAMES",
    "Column",
    "ColumnType",
    "ColumnsBuilder",
    "are_fields",
    "column_arrays",
    "column_sections",
    "columns_of",
    "fault_in_columns",
    "flattened",
    "told_fields",
]

AnyArray: TypeAlias = npt.NDArray[Any]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ColumnType = Literal["text", "int", "float", "bool"]
# Names and types, in the order of the columns.
Fields: TypeAlias = Sequence[tuple[str, ColumnType]]

TYPES: dict[type, ColumnType] = {str: "text", bool: "bool", int: "int", float: "float"}
VALUES = {"text": "|u1 <u2", "int": "<i8", "float": "<f8", "bool": "|b1"}
# How a complaint calls a value of a type.
NAMES = {"text": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
# Every field costs memory for every passage.
MOST_FIELDS = 1000
# Strings are numbered while there are at most so many distinct ones, and so many characters of them.
MOST_DISTINCT, MOST_CHARACTERS = 1 << 16, 1 << 24
# Up to it a float holds every whole number.
MOST_EXACT = 1 << 53
# Between the strings of a list, as between names that have commas.
BETWEEN = "; "
INT64 = range(-(1 << 63), 1 << 63)


class Column(NamedTuple):
    """One field of all passages.

    Attributes:
        type: text, int, float or bool.
        present: bool [passages]; where it is False the field is absent, and `values` or `strings` have 0 or "".
        values: int64, float64 or bool [passages]; of text uint [passages], numbers of `strings`, or empty where
            every passage has a string of its own.
        strings: of text, distinct ones or one a passage; else None.
    """

    type: ColumnType
    present: BoolArray
    values: AnyArray
    strings: Strings | None = None

    @property
    def sizes(self) -> set[int]:
        """The numbers of passages that its arrays are of; one, where nothing is damaged."""
        own = self.values if self.strings is None or len(self.values) else self.strings
        return {len(self.present), len(own)}

    def value(self, row: int) -> MetadataValue | None:
        """The value of one passage; None where it is absent."""
        if not self.present[row]:
            return None
        if self.strings is not None:
            return self.strings[int(self.values[row]) if len(self.values) else row]
        value: MetadataValue = self.values[row].item()
        return value

    def by_string(self, found: BoolArray) -> BoolArray:
        """Of text: bool [passages], where the field is there and its string is one of those `found` (bool [strings])."""
        return (found[self.values] if len(self.values) else found) & self.present


class ColumnsBuilder:
    """Columns that grow by a passage at a time; `reached` ends in where the latest stands, as complaints name it."""

    def __init__(self, reached: Sequence[str] | None = None) -> None:
        self._growing: dict[str, _Numbers | _Texts] = {}
        self._reached = reached
        # Where each field's type comes from.
        self._first: dict[str, str] = {}

    def add(self, row: int, passage_id: str, metadata: Mapping[str, MetadataValue]) -> None:
        """The fields of the passage of a row; rows ascend.

        Raises:
            InputError: a field has no name, a value is of another type than those before it or cannot be stored, or
                there are too many fields; the message names the passage and the field.
        """
        for name, value in metadata.items():
            fault = self._fault_in_name(name) or self._grown(name, value).add(row, value)
            if fault:
                here = self._reached[-1] if self._reached else ""
                place = f"{here}: " if here else ""
                first = self._first.get(name)
                other = f" (the first that has it: {first})" if here and first and first != here else ""
                raise InputError(
                    f"{place}passage {show(passage_id)} (number {row}), field {show(name)}: {fault}{other}; write it "
                    "otherwise, or leave the field out."
                )

    def _fault_in_name(self, name: str) -> str | None:
        if not isinstance(name, str) or not name or not _is_unicode(name):
            return "is no name"
        if name not in self._growing and len(self._growing) == MOST_FIELDS:
            return f"there are {MOST_FIELDS:,} other fields already, and no more can be kept"
        return None

    def _grown(self, name: str, value: MetadataValue) -> _Numbers | _Texts:
        if name not in self._growing:
            kind = TYPES.get(type(value), "text")
            self._growing[name] = _Texts() if kind == "text" else _Numbers(kind)
            if self._reached:
                self._first[name] = self._reached[-1]
        return self._growing[name]

    def finish(self, count: int) -> dict[str, Column]:
        """The columns of `count` passages, in the order in which their fields came."""
        return {name: growing.finish(count) for name, growing in self._growing.items()}


class _Numbers:
    """The whole numbers, the numbers or the flags of one field so far."""

    def __init__(self, kind: ColumnType) -> None:
        self.type = kind
        self._present = array("b")
        # Whole numbers until another comes among them; flags are 0 and 1.
        self._values: array[int] | array[float] = array("d" if kind == "float" else "q")
        self._largest = 0

    def add(self, row: int, value: MetadataValue) -> str | None:
        """The value of one more passage; what is wrong with it, or None."""
        kind = TYPES.get(type(value))
        if {kind, self.type} == {"int", "float"} and self.type == "int":
            self.type, self._values = "float", array("d", self._values)
        allowed = ("int", "float") if self.type == "float" else (self.type,)
        if kind not in allowed or isinstance(value, str):
            return _other_type(self.type, value)
        if fault := self._fault_in(value):
            return fault
        _pad(self._present, row)
        _pad(self._values, row)
        self._present.append(True)
        self._values.append(value)  # type: ignore[arg-type]  # floats go among floats alone
        return None

    def _fault_in(self, value: float) -> str | None:
        if isinstance(value, int):
            self._largest = max(self._largest, abs(value))
            if value not in INT64:
                return f"{show(value)} does not fit into 64 bits"
        if not math.isfinite(value):
            return f"expected a number, found {value}"
        if self.type == "float" and self._largest > MOST_EXACT:
            return f"among fractions, {self._largest} cannot be kept to the last digit"
        return None

    def finish(self, count: int) -> Column:
        """As a column of `count` passages."""
        _pad(self._present, count)
        _pad(self._values, count)
        values = np.frombuffer(self._values, np.float64 if self.type == "float" else np.int64)
        return Column(
            self.type,
            np.frombuffer(self._present, np.bool_),
            values.astype(np.bool_) if self.type == "bool" else values,
        )


class _Texts:
    """The strings of one field so far."""

    def __init__(self) -> None:
        self._present = array("b")
        self._texts = StringColumn()
        # The number of each distinct string, and of each passage's; None: they are too many.
        self._numbers: dict[str, int] | None = {}
        self._values = array("H")
        self._characters = 0

    def add(self, row: int, value: MetadataValue) -> str | None:
        """The value of one more passage; what is wrong with it, or None."""
        if not isinstance(value, str):
            return _other_type("text", value)
        if not _is_unicode(value):
            return f"{show(value)} holds half a surrogate pair"
        self._absent(row)
        self._present.append(True)
        self._texts.append(value)
        self._number(value)
        return None

    def _number(self, text: str) -> None:
        if self._numbers is None:
            return
        if text not in self._numbers:
            self._characters += len(text)
            if len(self._numbers) == MOST_DISTINCT or self._characters > MOST_CHARACTERS:
                self._numbers, self._values = None, array("H")
                return
            self._numbers[text] = len(self._numbers)
        self._values.append(self._numbers[text])

    def _absent(self, count: int) -> None:
        """In all passages before the one of a row that have no string yet."""
        for _ in range(count - len(self._present)):
            self._texts.append("")
        _pad(self._present, count)
        if self._numbers is not None:
            _pad(self._values, count)

    def finish(self, count: int) -> Column:
        """As a column of `count` passages."""
        self._absent(count)
        data, offsets = self._texts.finish()
        values = np.frombuffer(self._values, np.uint16)
        if self._numbers is not None:
            data, offsets = packed_strings([text.encode() for text in self._numbers])
            values = values.astype(np.min_scalar_type(len(self._numbers) - 1))
        return Column("text", np.frombuffer(self._present, np.bool_), values, Strings(data, offsets))


def _other_type(kind: ColumnType, value: object) -> str:
    return f"expected {NAMES[kind]}, as a field has one type in all passages, found {show(value)}"


def _pad(values: array[int] | array[float], count: int) -> None:
    """Zeros up to `count` values."""
    values.frombytes(bytes((count - len(values)) * values.itemsize))


def _is_unicode(text: str) -> bool:
    """Whether a string can be written; one that Python made may hold half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---- in a stored file --------------------------------------------------------------------------------------


def column_arrays(columns: Mapping[str, Column]) -> dict[str, AnyArray]:
    """The arrays of columns, numbered in their order."""
    arrays = {}
    for number, column in enumerate(columns.values()):
        arrays[f"field_{number}_present"] = column.present
        arrays[f"field_{number}_values"] = column.values
        if column.strings is not None:
            arrays[f"field_{number}_strings"] = column.strings.data
            arrays[f"field_{number}_offsets"] = column.strings.offsets
    return arrays


def column_sections(fields: Fields) -> dict[str, Section]:
    """What the arrays of columns must be."""
    sections = {}
    for number, (_, kind) in enumerate(fields):
        sections[f"field_{number}_present"] = Section("|b1")
        sections[f"field_{number}_values"] = Section(VALUES[kind])
        if kind == "text":
            sections[f"field_{number}_strings"] = Section("|u1")
            sections[f"field_{number}_offsets"] = Section("<i8")
    return sections


def columns_of(fields: Fields, arrays: Mapping[str, AnyArray]) -> dict[str, Column]:
    """The columns of a stored file, whose sections were checked."""
    columns = {}
    for number, (name, kind) in enumerate(fields):
        own, strings = f"field_{number}_", None
        if kind == "text":
            strings = Strings(arrays[f"{own}strings"], arrays[f"{own}offsets"])
        columns[name] = Column(kind, arrays[f"{own}present"], arrays[f"{own}values"], strings)
    return columns


def are_fields(stored: object) -> TypeGuard[Fields]:
    """Whether what a file says of its fields is names, each another, and types."""
    pairs: list[Any] = stored if isinstance(stored, list) else [None]
    if not all(isinstance(pair, list) and [type(one) for one in pair] == [str, str] for pair in pairs):
        return False
    named = {name for name, kind in pairs if name and kind in VALUES}
    return len(named) == len(pairs)


def fault_in_columns(columns: Mapping[str, Column]) -> str | None:
    """Why columns, whose sizes agree, do not hold values of their types; None where they do."""
    for name, column in columns.items():
        if fault := _fault_in_column(column):
            return f"field {show(name)}: {fault}"
    return None


def _fault_in_column(column: Column) -> str | None:
    absent = ~column.present
    if len(column.values) and bool(column.values[absent].any()):
        return "an absent field has a value"
    if column.type == "float" and not bool(np.isfinite(column.values).all()):
        return "a number is none"
    if column.strings is None:
        return None
    if len(column.values) and int(column.values.max()) >= len(column.strings):
        return "a number is that of no string"
    if fault := fault_in_strings(column.strings.data, column.strings.offsets):
        return fault
    if not len(column.values) and bool(np.diff(column.strings.offsets)[absent].any()):
        return "an absent field has a value"
    return None


def told_fields(metadata: Mapping[str, MetadataValue]) -> str:
    """Fields as a line for people; nothing where there are none."""
    values = (
        (name, str(value).lower() if isinstance(value, bool) else value) for name, value in metadata.items()
    )
    return ", ".join(f"{name}: {' '.join(str(value).split())}" for name, value in values)


# ---- from nested objects -----------------------------------------------------------------------------------


def flattened(items: Iterable[tuple[str, object]]) -> tuple[dict[str, MetadataValue], list[str]]:
    """Nested objects' values by dotted paths, and the paths of what no field holds: other lists, values without a name.

    A list of strings becomes one, with `; ` between them. Null is absent, and so are an empty list and what is no number
    (NaN, as some write a missing one).

    Raises:
        ValueError: two fields have one path; it is the message.
    """
    found: dict[str, MetadataValue] = {}
    left: list[str] = []
    # No recursion: how deep objects are nested is the file's affair.
    waiting = [*items][::-1]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = BETWEEN.join(value) or None
        if isinstance(value, dict):
            waiting += [(f"{path}.{name}", inner) for name, inner in reversed(value.items())]
        elif not path or not isinstance(value, str | int | float | None):
            left.append(path)
        elif path in found:
            raise ValueError(path)
        elif value is not None and value == value:  # NaN alone is not
            found[path] = value
    return found, left
