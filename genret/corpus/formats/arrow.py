"""Corpora in Arrow: a folder that `datasets` saved, or one `.arrow` or `.parquet` file, as a stream of passages.

Knows columns and rows; imports `datasets` when such a place is read. Tables are mapped, or read piece by piece, so
that memory does not grow with the corpus. Q. Lhoest et al., "Datasets: A Community Library for Natural Language
Processing", EMNLP 2021.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from genret.corpus.formats.beir import read_passage
from genret.corpus.formats.datafile import DataFile, EmptyFileError
from genret.corpus.formats.records import Record, Unique
from genret.corpus.types import Passage
from genret.errors import InputError, UsageError

__all__ = ["holds", "passages"]

# What `datasets` puts beside the tables of one split, and of several.
SAVED, SAVED_SPLITS = "dataset_info.json", "dataset_dict.json"
ARROW, PARQUET = ".arrow", ".parquet"
IDS = ("_id", "id")
ROWS = 1000

# Columns' names to batches of rows, each a list a column.
Read = Callable[[list[str]], Iterable[dict[str, list[Any]]]]


@dataclass(frozen=True)
class _Table(DataFile):
    """A table; complaints name its rows."""

    unit: ClassVar[str] = "row"


def holds(path: str | os.PathLike[str]) -> bool:
    """Whether a place is a table of Arrow's."""
    place = Path(path)
    if place.is_dir():
        return (place / SAVED).is_file() or (place / SAVED_SPLITS).is_file()
    return place.suffix in (ARROW, PARQUET) and place.is_file()


def passages(source: DataFile) -> Iterator[Passage]:
    """The passages: columns `_id` or `id` (strings or whole numbers), `text`, and `title` where there is one; see BEIR's.

    Raises:
        UsageError: `datasets` is not installed.
        InputError: the table is damaged, has several splits, lacks a column, or a value is wrong.
    """
    file, unique, count = _Table(source.path, skip=source.skip, blanks=source.blanks), Unique("passage"), 0
    left = set[str]()
    for number, row in enumerate(_rows(file), 1):
        if number in file.skip:
            continue
        record = Record(file, number, row)
        passage = read_passage(record, unique.check(record, IDS[0] if IDS[0] in row else IDS[1]), left)
        if passage is not None:
            yield passage
            count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no passage; the table is empty.")


def _rows(file: _Table) -> Iterator[dict[str, Any]]:
    try:
        there, read = _open(file.path)
        columns = _columns(file, there)
        for batch in read(columns):
            for values in zip(*(batch[name] for name in columns), strict=True):
                yield dict(zip(columns, values, strict=True))
    except (OSError, ValueError, LookupError) as error:
        if isinstance(error, InputError | UsageError):  # these are ValueErrors
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{file.label}: cannot be read as a table of `datasets`: {reason}") from error


def _open(place: Path) -> tuple[list[str], Read]:
    """The names of a table's columns, and what reads some of them, a batch of rows at a time."""
    try:
        import datasets
        from pyarrow import parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError(f"{place}: needs the package datasets: pip install datasets.") from error
    if place.suffix == PARQUET:
        # `datasets` would copy the file into a cache, or ask its hub about it when it streams.
        file = parquet.ParquetFile(place)
        return file.schema_arrow.names, lambda columns: (
            batch.to_pydict() for batch in file.iter_batches(ROWS, columns=columns)
        )
    table = _split(place, datasets) if place.is_dir() else datasets.Dataset.from_file(str(place))
    return table.column_names, lambda columns: table.select_columns(columns).iter(batch_size=ROWS)


def _split(place: Path, datasets: Any) -> Any:
    """The one table of a folder.

    Raises:
        InputError: there are several.
    """
    found = datasets.load_from_disk(str(place))
    if not isinstance(found, datasets.DatasetDict):
        return found
    if len(found) != 1:
        listed = ", ".join(found)
        raise InputError(f"{place}: holds several splits ({listed}); name the folder of one: {place}/SPLIT.")
    return next(iter(found.values()))


def _columns(file: _Table, there: list[str]) -> list[str]:
    """The columns to read.

    Raises:
        InputError: one that a corpus needs is missing.
    """
    name = next((one for one in IDS if one in there), None)
    if name is None or "text" not in there:
        missing = "text" if name else " or ".join(IDS)
        raise InputError(
            f"{file.label}: no column {missing}; expected _id (or id), text and perhaps title, found "
            f"{', '.join(there) or 'none'}. Rename the columns (Dataset.rename_column) and save it again."
        )
    return [name, "text", *(["title"] if "title" in there else [])]
