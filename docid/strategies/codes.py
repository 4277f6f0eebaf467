"""From codes (small numbers, level by level) to docids: a new token for each code, strings such as `3-17-0`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, as_ragged, chunks
from docid.strategies.base import Docids
from docid.table import DocidTable

__all__ = ["code_token", "code_tokens", "docids_of_codes", "levels_of", "taken_codes"]


def code_token(level: int, code: int, *, per_level: bool = True) -> str:
    """The new token of a code: `<c2_17>` for code 17 of the second level (index 1), or `<c_17>` in all levels."""
    return f"<c{level + 1}_{code}>" if per_level else f"<c_{code}>"


def code_tokens(sizes: Sequence[int], *, per_level: bool = True) -> list[str]:
    """The new tokens of the codes 0 to `sizes[l]` of every level l."""
    return [
        code_token(level, code, per_level=per_level)
        for level, size in enumerate(sizes)
        for code in range(size)
    ]


def levels_of(codes: Ragged) -> IntArray:
    """The level (from 0) of each entry of `codes.values`."""
    levels: IntArray = np.arange(len(codes.values)) - np.repeat(codes.offsets[:-1], codes.lengths)
    return levels


def docids_of_codes(
    codes: Ragged, taken: DocidTable, *, per_level: bool = True, sizes: Sequence[int] = ()
) -> Docids:
    """Docids whose tokens are codes; tokens that `taken` has are used again.

    Level l gets tokens for the codes 0 to `sizes[l]` at least, so that later documents need no others.
    """
    levels = levels_of(codes)
    if not per_level:
        levels[:] = 0
    known = {token: index for index, token in enumerate(taken.new_tokens)}
    counts = np.zeros(max(int(levels.max(initial=-1)) + 1, len(sizes)), np.int64)
    np.maximum.at(counts, levels, codes.values + 1)
    counts[: len(sizes)] = np.maximum(counts[: len(sizes)], sizes)
    names = code_tokens(counts.tolist(), per_level=per_level)
    fresh = [name for name in names if name not in known]
    known.update((name, len(taken.new_tokens) + place) for place, name in enumerate(fresh))
    indices = np.array([known[name] for name in names], np.int64)
    sequences = -1 - indices[(np.cumsum(counts) - counts)[levels] + codes.values]
    return Docids(_strings(codes), Ragged(sequences, codes.offsets), fresh)


def taken_codes(taken: DocidTable) -> Ragged:
    """The codes of a table whose docids are codes.

    Raises:
        InputError: its docid strings are not codes: another strategy made it.
    """
    strings = taken.docids(range(taken.num_documents))
    try:
        return as_ragged([list(map(int, string.split("-"))) for string in strings])
    except ValueError as error:
        raise InputError(
            f"the table's docids are not codes ({error}); add documents with the strategy that made it."
        ) from error


def _strings(codes: Ragged) -> list[str]:
    # Each code is spelled once: millions of docids of 32 codes would otherwise hold two kilobytes of pieces each.
    names = list(map(str, range(int(codes.values.max(initial=-1)) + 1)))
    strings: list[str] = []
    for rows in chunks(codes.num_rows):
        bounds = codes.offsets[rows.start : rows.stop + 1]
        pieces = [names[code] for code in codes.values[bounds[0] : bounds[-1]].tolist()]
        places = (bounds - bounds[0]).tolist()
        strings += ["-".join(pieces[begin:end]) for begin, end in pairwise(places)]
    return strings
