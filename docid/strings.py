"""Strings in flat arrays, read by memory map: by number, and from the string to its number.

Knows UTF-8 bytes, offsets and hashes; knows nothing of what the strings mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import xxhash

from docid.ragged import IntArray, chunks, is_partition
from fm_index.container import ArtefactError

__all__ = [
    "SortedStrings",
    "Strings",
    "fault_in_hashes",
    "fault_in_keys",
    "fault_in_strings",
    "hash_of",
    "packed_strings",
]


class Strings(Sequence[str]):
    """A sequence of strings over UTF-8 bytes (uint8) and int64 [n + 1] offsets; each is decoded when asked for."""

    def __init__(self, data: npt.NDArray[Any], offsets: IntArray) -> None:
        # As plain arrays: every look into a memory map makes another one, at several times the cost.
        self.data, self.offsets = np.asarray(data), np.asarray(offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        try:
            return self.bytes_of(row % len(self)).decode()
        except UnicodeDecodeError as error:
            raise ArtefactError(
                f"damaged: string {row % len(self)} of a stored file is not UTF-8."
            ) from error

    def bytes_of(self, row: int) -> bytes:
        """A string's UTF-8 bytes."""
        return bytes(self.data[self.offsets[row] : self.offsets[row + 1]])


class SortedStrings:
    """Distinct strings, numbered in the order of their 64-bit hashes (XXH3, equal ones by their bytes).

    Attributes:
        strings: K of them.
        hashes: uint64 [K], ascending.
    """

    def __init__(self, strings: Strings, hashes: npt.NDArray[np.uint64]) -> None:
        """Take over stored arrays; `build` makes them."""
        self.strings, self.hashes = strings, hashes

    @classmethod
    def build(cls, strings: Sequence[str]) -> tuple[SortedStrings, IntArray]:
        """The distinct ones of these strings; and the number of each string among them: int64 [n]."""
        hashes = _hashes(strings)
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        _sort_collisions(strings, order, hashes)
        rows = order.tolist()
        fresh = np.ones(len(rows), bool)
        for place in np.flatnonzero(hashes[1:] == hashes[:-1]).tolist():
            fresh[place + 1] = strings[rows[place]] != strings[rows[place + 1]]
        numbers = np.empty(len(rows), np.int64)
        numbers[order] = np.cumsum(fresh) - 1
        return cls(_packed(strings, order[fresh]), hashes[fresh]), numbers

    def merged(self, more: SortedStrings) -> tuple[SortedStrings, IntArray]:
        """These and those of `more` that are not among them; and the new number of each of these: int64 [K]."""
        texts = more.strings[:]
        missing = np.flatnonzero(self.find(texts) < 0)
        data = [texts[row].encode() for row in missing.tolist()]
        hashes = more.hashes[missing]
        places = np.array([self._behind(*one) for one in zip(data, hashes.tolist(), strict=True)], np.int64)
        added, bounds = packed_strings(data)
        lengths = np.insert(np.diff(self.strings.offsets), places, np.diff(bounds))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ends = np.repeat(self.strings.offsets[places], np.diff(bounds))
        strings = Strings(np.insert(self.strings.data, ends, added), offsets)
        numbers = np.arange(len(self)) + np.searchsorted(places, np.arange(len(self)), side="right")
        return SortedStrings(strings, np.insert(self.hashes, places, hashes)), numbers

    def only(self, kept: npt.NDArray[np.bool_]) -> SortedStrings:
        """Some of these, bool [K]."""
        lengths = np.diff(self.strings.offsets)
        offsets = np.concatenate([[0], np.cumsum(lengths[kept])])
        return SortedStrings(Strings(self.strings.data[np.repeat(kept, lengths)], offsets), self.hashes[kept])

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, strings: Sequence[str]) -> IntArray:
        """The number of each string, -1 where it is none of these: int64 [n]."""
        found = np.empty(len(strings), np.int64)
        for part in chunks(len(strings)):
            encoded = [text.encode("utf-8", "surrogatepass") for text in strings[part]]
            wanted = np.array([hash_of(data) for data in encoded], np.uint64)
            places = np.searchsorted(self.hashes, wanted)
            found[part] = np.fromiter(map(self._place, encoded, places.tolist()), np.int64, len(encoded))
        return found

    def _behind(self, data: bytes, number: int) -> int:
        """Where a string that is none of these, and its hash, would stand among them."""
        place = int(np.searchsorted(self.hashes, np.uint64(number)))
        while place < len(self) and self.hashes[place] == number and self.strings.bytes_of(place) < data:
            place += 1
        return place

    def _place(self, data: bytes, place: int) -> int:
        """From the first key of its hash on: nearly always that one, or none."""
        if place == len(self) or self.strings.bytes_of(place) == data:
            return place if place < len(self) else -1
        if self.hashes[place] != hash_of(data):
            return -1
        return self._place(data, place + 1)


def hash_of(data: bytes) -> int:
    """XXH3-64."""
    return xxhash.xxh3_64_intdigest(data)


def packed_strings(strings: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], IntArray]:
    """Strings end to end, and int64 [n + 1] offsets."""
    offsets = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)), out=offsets[1:])
    return np.frombuffer(b"".join(strings), np.uint8), offsets


def _hashes(strings: Sequence[str]) -> npt.NDArray[np.uint64]:
    return np.fromiter((hash_of(text.encode()) for text in strings), np.uint64, len(strings))


def _sort_collisions(strings: Sequence[str], order: IntArray, hashes: npt.NDArray[np.uint64]) -> None:
    """Sort runs of one hash by their strings' bytes, in place: equal strings are then neighbours."""
    tied = np.concatenate([[False], hashes[1:] == hashes[:-1], [False]])
    begins, ends = np.flatnonzero(~tied[:-1] & tied[1:]), np.flatnonzero(tied[:-1] & ~tied[1:]) + 1
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        rows = order[begin:end].tolist()
        if len({strings[row] for row in rows}) > 1:
            order[begin:end] = sorted(rows, key=lambda row: strings[row].encode())


def _packed(strings: Sequence[str], rows: IntArray) -> Strings:
    """Some of the strings, end to end."""
    parts = [
        packed_strings([strings[row].encode() for row in rows[part].tolist()]) for part in chunks(len(rows))
    ]
    lengths = [np.diff(offsets) for _, offsets in parts]
    offsets = np.concatenate([np.zeros(1, np.int64), *lengths]).cumsum()
    return Strings(np.concatenate([np.empty(0, np.uint8), *(data for data, _ in parts)]), offsets)


def fault_in_strings(data: npt.NDArray[Any], offsets: IntArray) -> str | None:
    """Why arrays do not hold strings; None where they do."""
    if not is_partition(offsets, len(data)):
        return "the offsets do not divide the strings"
    for part in chunks(len(offsets) - 1):
        try:
            bytes(data[offsets[part.start] : offsets[part.stop]]).decode()
        except UnicodeDecodeError:
            return f"a string of rows {part.start} to {part.stop - 1} is not UTF-8"
    begins = offsets[:-1][offsets[:-1] < len(data)]
    if bool(((data[begins] & 0xC0) == 0x80).any()):
        return "a string begins inside a character"
    return None


def fault_in_hashes(
    strings: Strings, hashes: npt.NDArray[np.uint64], rows: Iterable[int] | None = None
) -> str | None:
    """Why `hashes` are not those of the strings in ascending order (of `rows`); None where they are."""
    if bool((hashes[1:] < hashes[:-1]).any()):
        return "the hashes do not ascend"
    numbered = range(len(strings)) if rows is None else rows
    if any(
        hash_of(strings.bytes_of(row)) != number
        for row, number in zip(numbered, hashes.tolist(), strict=True)
    ):
        return "a hash is not that of its string"
    return None


def fault_in_keys(keys: SortedStrings) -> str | None:
    """Why stored strings are not keys; None where they are."""
    strings, hashes = keys.strings, keys.hashes
    if len(strings) != len(hashes):
        return "the numbers of strings and hashes do not agree"
    fault = fault_in_strings(strings.data, strings.offsets) or fault_in_hashes(strings, hashes)
    if fault is None and (bool((np.diff(strings.offsets) == 0).any()) or bool((strings.data == 0).any())):
        return "a string is empty or holds a NUL character"
    equal = np.flatnonzero(hashes[1:] == hashes[:-1]).tolist()
    if fault is None and any(strings.bytes_of(row) >= strings.bytes_of(row + 1) for row in equal):
        return "two strings are equal"
    return fault
