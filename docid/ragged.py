"""Rows of different lengths in two flat arrays; knows integers and nothing of what they mean."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from docid.errors import InputError

__all__ = [
    "IntArray",
    "Ragged",
    "are",
    "as_ragged",
    "chunks",
    "ended_rows",
    "first_equals",
    "gather",
    "is_partition",
    "position_in",
    "row_of",
    "sequence_dtype",
    "smallest_dtype",
    "sorted_rows",
    "spans",
    "take_rows",
    "token_dtype",
]

CHUNK = 1 << 16
KEY_BITS = 63

IntArray: TypeAlias = npt.NDArray[Any]


class Ragged(NamedTuple):
    """Row r is `values[offsets[r]:offsets[r + 1]]`.

    Attributes:
        values: integers [m].
        offsets: integers [rows + 1], from 0 to m, never falling.
    """

    values: IntArray
    offsets: IntArray

    @property
    def num_rows(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> IntArray:
        return np.diff(self.offsets)


def as_ragged(sequences: Ragged | Sequence[Any] | IntArray) -> Ragged:
    """Rows of integers (lists, arrays, or one 2-D array) as a `Ragged`.

    Raises:
        InputError: a value is not an integer, or is outside 64 bits; the message names the row.
    """
    if isinstance(sequences, Ragged):
        return sequences
    if isinstance(sequences, np.ndarray) and sequences.ndim == 2 and sequences.dtype.kind in "iu":
        rows, width = sequences.shape
        return Ragged(sequences.reshape(-1), np.arange(rows + 1, dtype=smallest_dtype(rows * width)) * width)
    offsets = np.zeros(len(sequences) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, sequences), np.int64, len(sequences)), out=offsets[1:])
    if len(sequences) and all(isinstance(row, np.ndarray) and row.dtype.kind in "iu" for row in sequences):
        return Ragged(np.concatenate(sequences), offsets)
    try:
        values = array("q", chain.from_iterable(sequences))
    except (TypeError, OverflowError) as error:
        raise InputError(
            f"{_first_bad_row(sequences)}: expected integers of at most 64 bits ({error})."
        ) from error
    return Ragged(np.frombuffer(values, np.int64) if values else np.empty(0, np.int64), offsets)


def row_of(offsets: IntArray, position: int) -> int:
    """The row that holds the flat `position`; empty rows are skipped."""
    return int(np.searchsorted(offsets, position, side="right")) - 1


def chunks(rows: int) -> Iterator[slice]:
    """Slices that cover `rows`, for work that would take too much memory in one piece."""
    for begin in range(0, rows, CHUNK):
        yield slice(begin, min(begin + CHUNK, rows))


def spans(begins: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Positions `begins[r]`, `begins[r] + 1`, ... (`counts[r]` of them), rows one after the other; and offsets."""
    offsets = np.zeros(len(begins) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], counts), offsets


def gather(values: IntArray, begins: IntArray, counts: IntArray) -> Ragged:
    """A row of `counts[r]` values from `begins[r]` on, for each r."""
    positions, offsets = spans(begins, counts)
    return Ragged(values[positions], offsets)


def take_rows(ragged: Ragged, rows: IntArray) -> Ragged:
    """The rows named by `rows` (int [n]), in that order."""
    begins = ragged.offsets[rows].astype(np.int64)
    return gather(ragged.values, begins, ragged.offsets[rows + 1] - begins)


def first_equals(rows: Ragged) -> IntArray:
    """For each row of tokens from 0 the first row that is equal to it, itself where none before it is: int [n]."""
    order, first = sorted_rows(ended_rows(rows, int(rows.values.max(initial=0)) + 1))
    found = np.empty_like(order)
    found[order] = np.repeat(order[first], np.diff(first, append=len(order)))
    return found


def ended_rows(sequences: Ragged, eos: int) -> Ragged:
    """Every row followed by `eos`, which none of them holds: no row is then a prefix of another."""
    total = len(sequences.values) + sequences.num_rows
    offsets: IntArray = np.arange(sequences.num_rows + 1, dtype=smallest_dtype(total))
    offsets += sequences.offsets
    largest = max(eos, int(sequences.values.max(initial=0)))
    values = np.full(total, eos, token_dtype(largest))
    inside = np.ones(len(values), bool)
    inside[offsets[1:] - 1] = False
    values[inside] = sequences.values
    return Ragged(values, offsets)


def sorted_rows(ended: Ragged) -> tuple[IntArray, IntArray]:
    """Rows in lexicographic order (equal rows in row order), and where each distinct row begins among them.

    Rows are of tokens from 0, and none is a prefix of another (`ended_rows`). Several tokens are packed into one 63-bit
    key; only rows that are still tied go on to the next key.
    """
    bits = (int(ended.values.max(initial=0)) + 1).bit_length()
    # 63 bits, as a sign bit would turn the order of the greatest tokens round.
    width = KEY_BITS // bits
    order = np.arange(ended.num_rows, dtype=ended.offsets.dtype)
    # One entry more than there are rows, so that the last row too has a next one that begins.
    begins = np.zeros(ended.num_rows + 1, bool)
    begins[[0, -1]] = True
    tied = order.copy()
    depth = 0
    while len(tied):
        _sort_tied(order, begins, tied, _packed(ended, order[tied], depth, width, bits))
        depth += width
        rows = order[tied]
        alone = begins[tied] & begins[tied + 1]
        tied = tied[~alone & (ended.offsets[rows + 1] - ended.offsets[rows] > depth)]
    return order, np.flatnonzero(begins[:-1]).astype(order.dtype)


def _sort_tied(order: IntArray, begins: IntArray, tied: IntArray, key: IntArray) -> None:
    """Sort each run of equal rows (they stand at the places `tied`) by `key`, in place, and mark the new runs."""
    group = np.cumsum(begins[tied], dtype=order.dtype)
    by_key = np.lexsort((key, group)) if group[-1] > 1 else np.argsort(key, kind="stable")
    order[tied] = order[tied][by_key]
    # Places of one run stay together, so `group` is the same after sorting.
    key = key[by_key]
    begins[tied[1:]] = (key[1:] != key[:-1]) | (group[1:] != group[:-1])


def _packed(ended: Ragged, rows: IntArray, depth: int, width: int, bits: int) -> IntArray:
    """Tokens `depth` to `depth + width` of each row in one int64; zero stands for what is past the end."""
    keys = np.zeros(len(rows), np.int64)
    last = len(ended.values) - 1
    for chunk in chunks(len(rows)):
        key, begins = keys[chunk], ended.offsets[rows[chunk]] + depth
        lengths = ended.offsets[rows[chunk] + 1] - begins
        for place in range(width):
            # Plus one, so that the end of a row comes before every token.
            token = ended.values[np.minimum(begins + place, last)].astype(np.int64) + 1
            token[lengths <= place] = 0
            key <<= bits
            key |= token
    return keys


def position_in(ascending: IntArray, needles: IntArray, side: Literal["left", "right"] = "left") -> IntArray:
    """`searchsorted` that does not copy an int32 haystack to int64 at every call."""
    return np.searchsorted(ascending, np.asarray(needles).astype(ascending.dtype), side=side)


def are(values: object, dtype: npt.DTypeLike, ndim: int) -> TypeGuard[npt.NDArray[Any]]:
    """Whether `values` are an array of this dtype and so many dimensions, finite throughout."""
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != ndim:
        return False
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def is_partition(offsets: IntArray, total: int) -> bool:
    """Whether `offsets` go from 0 to `total` and never fall."""
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != total:
        return False
    return bool((offsets[1:] >= offsets[:-1]).all())


def smallest_dtype(largest: int) -> type[np.int32] | type[np.int64]:
    """int32 where `largest` fits, else int64."""
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64


def token_dtype(largest: int) -> type[np.uint16] | type[np.int32]:
    """uint16 where the token `largest` fits, else int32."""
    return np.uint16 if largest <= np.iinfo(np.uint16).max else np.int32


def sequence_dtype(lowest: int, largest: int) -> type[np.uint16] | type[np.int16] | type[np.int32]:
    """The smallest of uint16, int16 and int32 that holds tokens from `lowest` (below 0: new ones) to `largest`."""
    if lowest >= 0:
        return token_dtype(largest)
    return np.int16 if lowest >= np.iinfo(np.int16).min and largest <= np.iinfo(np.int16).max else np.int32


def _first_bad_row(sequences: Sequence[Any] | IntArray) -> str:
    for row, sequence in enumerate(sequences):
        try:
            array("q", sequence)
        except (TypeError, OverflowError):
            return f"row {row}: {sequence!r:.200}"
    return "sequences"
