"""Stored strings against one that is asked for, all at once: equal ones, their order, beginnings and parts.

By bytes: UTF-8 has the order of code points, and no character inside another. Knows strings; knows no field.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray, chunks
from docid.strings import Strings

__all__ = ["among", "beginning", "containing", "order"]

BoolArray = npt.NDArray[np.bool_]
# So many strings are looked for one by one.
FEW = 16


def order(strings: Strings, text: str) -> npt.NDArray[np.int8]:
    """int8 [strings]: -1 for those that come before `text`, 1 for those behind it, 0 for equal ones."""
    lengths, wanted = np.diff(strings.offsets), text.encode()
    found = np.zeros(len(strings), np.int8)
    left = np.arange(len(strings))
    for place, byte in enumerate(wanted):
        ended = lengths[left] == place
        found[left[ended]] = -1
        left = left[~ended]
        held = strings.data[strings.offsets[left] + place]
        found[left] = np.sign(held.astype(np.int16) - byte)
        left = left[held == byte]
    found[left] = lengths[left] > len(wanted)
    return found


def among(strings: Strings, texts: Collection[str]) -> BoolArray:
    """bool [strings]: which are one of `texts`."""
    lengths, wanted = np.diff(strings.offsets), {text.encode() for text in texts}
    found = np.zeros(len(strings), np.bool_)
    if len(wanted) <= FEW:
        for one in wanted:
            found[_with(strings, np.flatnonzero(lengths == len(one)), one)] = True
        return found
    for number in np.flatnonzero(np.isin(lengths, [*map(len, wanted)])).tolist():
        found[number] = strings.bytes_of(number) in wanted
    return found


def beginning(strings: Strings, text: str) -> BoolArray:
    """bool [strings]: which begin with `text`."""
    wanted = text.encode()
    found = np.zeros(len(strings), np.bool_)
    found[_with(strings, np.flatnonzero(np.diff(strings.offsets) >= len(wanted)), wanted)] = True
    return found


def containing(strings: Strings, text: str) -> BoolArray:
    """bool [strings]: which have `text` somewhere."""
    wanted = np.frombuffer(text.encode(), np.uint8)
    found = np.full(len(strings), not len(wanted))
    for part in chunks(len(strings) if len(wanted) else 0):
        bounds = strings.offsets[part.start : part.stop + 1]
        data = strings.data[bounds[0] : bounds[-1]]
        places: IntArray = np.arange(max(0, len(data) - len(wanted) + 1))
        for place, byte in enumerate(wanted):
            places = places[data[places + place] == byte]
        places += bounds[0]
        numbers = np.searchsorted(bounds, places, side="right") - 1
        # Not across two strings.
        found[part.start + numbers[places + len(wanted) <= bounds[numbers + 1]]] = True
    return found


def _with(strings: Strings, numbers: IntArray, wanted: bytes) -> IntArray:
    """Those of the strings `numbers`, each long enough, that begin with `wanted`."""
    # From its end: ids and addresses begin alike.
    for place in reversed(range(len(wanted))):
        numbers = numbers[strings.data[strings.offsets[numbers] + place] == wanted[place]]
    return numbers
