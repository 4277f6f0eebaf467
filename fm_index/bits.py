"""Lists of tokens as bitmasks: token v is bit v % 32 of word v // 32, as xgrammar and engines have it. Integers only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fm_index import _core
from fm_index.arrays import Ints

__all__ = ["BITS", "fill_bits"]

BITS = 32


def fill_bits(offsets: Ints, tokens: Ints, lists: Ints, out: npt.NDArray[np.int32]) -> None:
    """Write into each row of `out` the bits of a list, and no others.

    Args:
        offsets: int64 [lists + 1].
        tokens: int64 [m]; list i has `tokens[offsets[i]:offsets[i + 1]]`.
        lists: int64 [n]; the list of each row, which may repeat.
        out: int32 [n, words], overwritten; contiguous or not.

    Raises:
        ValueError: a token or list is outside its range, or shapes differ.
    """
    filled = out if out.flags.c_contiguous else np.empty(out.shape, np.int32)
    _core.fill_bits(offsets, tokens, lists, filled)
    if filled is not out:
        out[:] = filled
