"""All passages of a corpus in one memory-mapped file: by row, and by passage id.

Knows strings and offsets; a passage's row is its document number everywhere else. UTF-8 bytes of ids, titles and
texts lie end to end; ids are found through their sorted 64-bit hashes. Built as a stream through temporary files:
memory is some 50 bytes a passage while building and next to none after loading.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import xxhash

from docid.strings import Strings, fault_in_hashes, fault_in_strings, hash_of
from fm_index.container import Section, Verify, read_container, write_container
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.formats.datafile import show
from genret.corpus.metadata import (
    Column,
    ColumnsBuilder,
    are_fields,
    column_arrays,
    column_sections,
    columns_of,
    fault_in_columns,
)
from genret.corpus.spool import StringColumn
from genret.corpus.types import MetadataValue, Passage
from genret.errors import ArtefactError, InputError, UsageError

__all__ = ["PassageStore"]

KIND = "passages"
# 2: columns of metadata. 3: how texts were split.
VERSION = 3
FIELDS = ("ids", "titles", "texts")
SECTIONS = {
    **{name: Section("|u1") for name in FIELDS},
    **{f"{name}_offsets": Section("<i8") for name in FIELDS},
    "hashes": Section("<u8"),
    "rows": Section("<i8"),
}

AnyArray = npt.NDArray[Any]
Int64Array = npt.NDArray[np.int64]


class PassageStore(Sequence[Passage]):
    """The passages of a corpus, in its order; `store[row]` is a passage, `store.row(passage_id)` its row.

    Attributes:
        left_out: the ids of the corpus's passages that have neither title nor text, where such were left out in
            building it; they are not stored.
        split: how the corpus's texts were split into these passages, as `CorpusOptions.split` has it; None where nobody
            said.
    """

    def __init__(self, arrays: dict[str, AnyArray], columns: Mapping[str, Column] | None = None) -> None:
        self._arrays, self._columns = arrays, dict(columns or {})
        self.passage_ids: Sequence[str] = Strings(arrays["ids"], arrays["ids_offsets"])
        self.titles: Sequence[str] = Strings(arrays["titles"], arrays["titles_offsets"])
        self.texts: Sequence[str] = Strings(arrays["texts"], arrays["texts_offsets"])
        self.left_out: frozenset[str] = frozenset()
        self.split: str | None = None

    @classmethod
    def build(cls, passages: Iterable[Passage], reached: Sequence[str] | None = None) -> PassageStore:
        """Collect `passages`; the strings go to temporary files, not into memory. `reached` ends in where the latest stands.

        Raises:
            InputError: two passages have one id, an id is empty, or both title and text are; or the values of one
                field of metadata are of several types.
        """
        columns, fields = [StringColumn() for _ in FIELDS], ColumnsBuilder(reached)
        hashes = array("Q")
        for passage in passages:
            if not passage.passage_id or not (passage.title or passage.text):
                raise InputError(
                    f"passage {len(hashes)}: its id, or both its title and its text, are empty: {show(passage[:3])}."
                )
            for column, value in zip(columns, passage[:3], strict=True):
                column.append(value)
            fields.add(len(hashes), passage.passage_id, passage.metadata)
            hashes.append(hash_of(passage.passage_id.encode()))
        arrays = {}
        for name, column in zip(FIELDS, columns, strict=True):
            arrays[name], arrays[f"{name}_offsets"] = column.finish()
        arrays["hashes"], arrays["rows"] = _sorted_hashes(np.frombuffer(hashes, dtype=np.uint64))
        store = cls(arrays, fields.finish(len(hashes)))
        store._check_unique()
        return store

    def changed(
        self, kept: Int64Array, fresh: Sequence[Passage], relabelled: Mapping[int, Passage] | None = None
    ) -> PassageStore:
        """The passages of some rows (ascending) and more behind them, as `build` would make them, and sooner.

        Args:
            kept: int64 [n].
            relabelled: passages of which only the metadata is another, by their rows.

        Raises:
            InputError: as `build`.
        """
        more = fresh if isinstance(fresh, PassageStore) else PassageStore.build(fresh)
        arrays, all_rows = {}, np.arange(len(more))
        for name in FIELDS:
            column = StringColumn()
            column.extend(self._arrays[name], self._arrays[f"{name}_offsets"], kept)
            column.extend(more._arrays[name], more._arrays[f"{name}_offsets"], all_rows)
            arrays[name], arrays[f"{name}_offsets"] = column.finish()
        hashes = np.concatenate([self._hashes()[kept], more._hashes()])
        arrays["hashes"], arrays["rows"] = _sorted_hashes(hashes)
        fields = ColumnsBuilder()
        if self._columns or relabelled or more._columns:
            labels = chain(self._labels(kept, relabelled or {}), more._labels(all_rows, {}))
            for row, (passage_id, metadata) in enumerate(labels):
                fields.add(row, passage_id, metadata)
        store = PassageStore(arrays, fields.finish(len(hashes)))
        store.split = self.split
        store._check_unique()
        return store

    def _labels(
        self, rows: Int64Array, relabelled: Mapping[int, Passage]
    ) -> Iterator[tuple[str, Mapping[str, MetadataValue]]]:
        """Ids and metadata of some rows."""
        for row in rows.tolist():
            metadata = relabelled[row].metadata if row in relabelled else self.metadata(row)
            yield self.passage_ids[row], metadata

    def _hashes(self) -> npt.NDArray[np.uint64]:
        """The hash of each row's id."""
        hashes = np.empty(len(self), np.uint64)
        hashes[self._arrays["rows"]] = self._arrays["hashes"]
        return hashes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the store as one file, atomically."""
        fields = [[name, one.type] for name, one in self._columns.items()]
        meta = {"passages": len(self), "fields": fields, "split": self.split}
        arrays = self._arrays | column_arrays(self._columns)
        write_container(path, kind=KIND, version=VERSION, meta=meta, arrays=arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, verify: Verify = "full") -> PassageStore:
        """Map a stored file; `verify="header"` skips the pass over its bytes, where they were checked before.

        Raises:
            ArtefactError: the file is missing, damaged or of another kind.
        """
        container = read_container(path, kind=KIND, version=VERSION, verify=verify)
        # The first version had no fields.
        fields = container.meta.get("fields") if container.version > 1 else []
        if not are_fields(fields):
            raise ArtefactError(
                f"{path}: damaged: its fields are not names and types. Restore it from a copy."
            )
        container.check(path, SECTIONS | column_sections(fields), {"passages": int})
        own = {name: container.arrays[name] for name in SECTIONS}
        store = cls(own, columns_of(fields, container.arrays))
        store.split = _split_in(path, container.meta.get("split"))
        fault = store._fault_in_sizes(container.meta["passages"])
        if fault is None and verify == "full":
            fault = store._fault_in_content()
        if fault:
            raise ArtefactError(f"{path}: damaged: {fault}. Restore it from a copy.")
        return store

    def _fault_in_sizes(self, count: int) -> str | None:
        sizes = {*(len(self._arrays[f"{name}_offsets"]) - 1 for name in FIELDS)}
        sizes |= {len(self._arrays["hashes"]), len(self._arrays["rows"])}
        sizes |= {size for column in self._columns.values() for size in column.sizes}
        return None if sizes == {count} else f"it does not hold {count} passages throughout"

    def _fault_in_content(self) -> str | None:
        """Whether strings are strings, and every id is found through its hash, once."""
        for name in FIELDS:
            if fault := fault_in_strings(self._arrays[name], self._arrays[f"{name}_offsets"]):
                return f"{fault} ({name})"
        if fault := fault_in_columns(self._columns):
            return fault
        lengths = [np.diff(self._arrays[f"{name}_offsets"]) for name in FIELDS]
        if bool((lengths[0] == 0).any()) or bool((lengths[1] + lengths[2] == 0).any()):
            return "a passage has no id, or neither title nor text"
        rows, hashes = self._arrays["rows"], self._arrays["hashes"]
        if len(rows) and (
            int(rows.min()) < 0 or int(rows.max()) >= len(self) or bool((np.bincount(rows) > 1).any())
        ):
            return "the rows of the ids are not all rows"
        ids = Strings(self._arrays["ids"], self._arrays["ids_offsets"])
        if fault := fault_in_hashes(ids, hashes, rows.tolist()):
            return fault
        try:
            self._check_unique()
        except InputError as error:
            return str(error).rstrip(".")
        return None

    def __len__(self) -> int:
        return len(self.passage_ids)

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> list[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | list[Passage]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        return Passage(self.passage_ids[row], self.titles[row], self.texts[row], self.metadata(row))

    def columns(self) -> Mapping[str, Column]:
        """The fields of metadata, by name, each as a column over all passages."""
        return self._columns

    def own_columns(self) -> Mapping[str, Column]:
        """What every passage has, as columns: `id`, and `title`, absent where it is empty."""
        nothing = np.empty(0, np.uint16)
        columns = {}
        for name, field in (("id", "ids"), ("title", "titles")):
            strings = Strings(self._arrays[field], self._arrays[f"{field}_offsets"])
            columns[name] = Column("text", np.diff(strings.offsets) > 0, nothing, strings)
        return columns

    def metadata(self, row: int) -> dict[str, MetadataValue]:
        """The fields that one passage has."""
        values = ((name, column.value(row)) for name, column in self._columns.items())
        return {name: value for name, value in values if value is not None}

    def row(self, passage_id: str) -> int:
        """The row of a passage.

        Raises:
            InputError: no passage has this id.
        """
        row = self._find(passage_id)
        if row is None:
            raise InputError(
                f"no passage has the id {show(passage_id)}; the corpus has {len(self):,} passages."
            )
        return row

    def __contains__(self, passage_id: object) -> bool:
        """Whether a passage has this id; a whole `Passage` is looked up by its id and compared."""
        if isinstance(passage_id, Passage):
            row = self._find(passage_id.passage_id)
            return row is not None and self[row] == passage_id
        return isinstance(passage_id, str) and self._find(passage_id) is not None

    @property
    def fingerprint(self) -> str:
        """XXH3-128 of all strings and fields, hexadecimal; equal for equal passages in equal order."""
        digest = xxhash.xxh3_128()
        for name in FIELDS:
            digest.update(self._arrays[name].data)
            digest.update(self._arrays[f"{name}_offsets"].view(np.uint8).data)
        for name, column in self._columns.items():
            digest.update(f"{name}\0{column.type}\0".encode())
        for part in column_arrays(self._columns).values():
            digest.update(part.view(np.uint8).data)
        return digest.hexdigest()

    def _find(self, passage_id: str) -> int | None:
        hashes, rows = self._arrays["hashes"], self._arrays["rows"]
        wanted = np.uint64(hash_of(passage_id.encode("utf-8", "surrogatepass")))
        begin, end = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, side="right")
        candidates = (int(row) for row in rows[begin:end])
        return next((row for row in candidates if self.passage_ids[row] == passage_id), None)

    def _check_unique(self) -> None:
        hashes, rows = self._arrays["hashes"], self._arrays["rows"]
        for place in np.flatnonzero(hashes[1:] == hashes[:-1]):
            first, second = int(rows[place]), int(rows[place + 1])
            if self.passage_ids[first] == self.passage_ids[second]:
                raise InputError(
                    f"passages {first} and {second} have one id, {show(self.passage_ids[first])}; ids are unique."
                )


def _split_in(path: str | os.PathLike[str], stored: object) -> str | None:
    """How a stored file says that texts were split; older versions do not."""
    try:
        if stored is None or (isinstance(stored, str) and CorpusOptions(split=stored)):
            return stored
    except UsageError:
        pass
    raise ArtefactError(
        f"{path}: damaged: it says that texts were split by {show(stored)}. Restore it from a copy."
    )


def _sorted_hashes(hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], Int64Array]:
    """Hashes in ascending order, and the row of each; equal ones in row order."""
    order = np.argsort(hashes, kind="stable")
    return hashes[order], order
