"""Arrays at the door: whatever a caller passes becomes contiguous int64, or an error that names the argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ints", "as_ints", "pack"]

Ints = npt.NDArray[np.int64]


def as_ints(values: npt.ArrayLike, name: str) -> Ints:
    """`values` as a contiguous int64 array of one dimension.

    Raises:
        TypeError: the values are not integers.
        ValueError: there is not one dimension, or a value does not fit into 64 bits.
    """
    array = np.asarray(values)
    if array.dtype == np.int64 and array.ndim == 1:
        return np.ascontiguousarray(array)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, found {array.dtype}.")
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, found {array.ndim}.")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name}: expected numbers below 2^63, found {array.max()}.")
    return np.ascontiguousarray(array, dtype=np.int64)


def pack(documents: Iterable[Sequence[int] | npt.NDArray[Any]]) -> tuple[Ints, Ints]:
    """Concatenate sequences of tokens; returns tokens int64 [N] and offsets int64 [D + 1]."""
    parts = [as_ints(document, f"documents[{number}]") for number, document in enumerate(documents)]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return (np.concatenate(parts) if parts else np.empty(0, np.int64)), offsets
