"""Corpora in Arrow: a folder that `datasets` saved, or one `.arrow`, `.feather` or `.parquet` file, as passages.

Knows columns and rows, and how `datasets` lays a folder out, without that package; imports pyarrow when a table is read.
Tables are mapped, or read piece by piece, so that memory does not grow with the corpus. Q. Lhoest et al., "Datasets: A Community Library for Natural
Language Processing", EMNLP 2021.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from docid.extras import needs
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.records import Record
from genret.corpus.tables.fields import passages_of
from genret.corpus.types import Passage
from genret.errors import InputError, UsageError

if TYPE_CHECKING:
    import pyarrow  # type: ignore[import-untyped]

__all__ = ["holds", "passages"]

# What `datasets` puts beside the tables of one split, and of several.
SAVED, SAVED_SPLITS = "dataset_info.json", "dataset_dict.json"
# The file that lists the tables of a split.
STATE = "state.json"
PARQUET = ".parquet"
TABLES = (PARQUET, ".arrow", ".feather")
ROWS = 1000


def holds(path: str | os.PathLike[str]) -> bool:
    """Whether a place is a table of Arrow's."""
    place = Path(path)
    if place.is_dir():
        return (place / SAVED).is_file() or (place / SAVED_SPLITS).is_file()
    return place.suffix.lower() in TABLES and place.is_file()


def passages(source: DataFile) -> Iterator[Passage]:
    """The passages: a row each, its columns by their usual names or those that are named.

    Raises:
        UsageError: pyarrow is not installed.
        InputError: the table is damaged, has several splits, lacks a column, or a value is wrong.
    """
    file = replace(source, unit="row")
    return passages_of(file, _records(file))


def _records(file: DataFile) -> Iterator[Record]:
    try:
        rows = (row for batch in _batches(file.path) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            if number not in file.skip:
                yield Record(file, number, {name: _plain(value) for name, value in row.items()})
    except (OSError, ValueError, LookupError) as error:
        if isinstance(error, InputError | UsageError):  # these are ValueErrors
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{file.label}: damaged, or no table of Arrow's: {reason}") from error


def _batches(place: Path) -> Iterator[pyarrow.RecordBatch]:
    """The rows of a table, some at a time."""
    with needs(f"{place}, a table,", "pyarrow", extra="arrow"):
        import pyarrow
        from pyarrow import ipc, parquet

    if place.is_dir():
        for table in _saved(place):
            yield from _batches(table)
    elif place.suffix.lower() == PARQUET:
        # `datasets` would copy the file into a cache, or ask its hub about it when it streams.
        yield from parquet.ParquetFile(place).iter_batches(ROWS)
    else:
        with pyarrow.memory_map(str(place)) as mapped:
            try:
                file = ipc.open_file(mapped)
            except pyarrow.ArrowInvalid:
                mapped.seek(0)
                yield from _parts(ipc.open_stream(mapped))
            else:
                yield from _parts(file.get_batch(number) for number in range(file.num_record_batches))


def _parts(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in batches:
        yield from (batch.slice(begin, ROWS) for begin in range(0, len(batch), ROWS))


def _plain(value: object) -> object:
    """A value of a column as one of JSON: points in time as text, no number as none."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _saved(place: Path) -> list[Path]:
    """The tables of the one split of a folder that `datasets` saved, in their order.

    Raises:
        InputError: there are several splits. ValueError: the folder is damaged.
    """
    if (place / SAVED_SPLITS).is_file():
        splits = _listed(place / SAVED_SPLITS, "splits")
        if len(splits) != 1:
            listed = ", ".join(map(str, splits))
            raise InputError(
                f"{place}: holds several splits ({listed}); name the folder of one: {place}/SPLIT."
            )
        place /= _name(splits[0])
    parts = _listed(place / STATE, "_data_files")
    return [place / _name(part.get("filename") if isinstance(part, dict) else part) for part in parts]


def _listed(file: Path, field: str) -> list[object]:
    content = json.loads(file.read_bytes())
    found = content.get(field) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"{file.name} has no list {field!r}")
    return found


def _name(found: object) -> str:
    """What stands for a file of the same folder, and leads nowhere else."""
    if not isinstance(found, str) or Path(found).name != found:
        raise ValueError(f"it names {found!r} in place of a file of its own")
    return found
