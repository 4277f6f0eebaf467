"""Rules that tell documents of equal codes apart; codes already given never change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.quantise import Quantiser
from docid.ragged import IntArray

__all__ = ["next_best", "with_ordinals"]


def with_ordinals(codes: IntArray, before: IntArray) -> IntArray:
    """Codes (int [n, levels]) with one more level: how many documents came before with the same codes.

    `before` (int [m, levels + 1], or [0, 0]) are the codes given so far, each with its ordinal.
    """
    levels = codes.shape[1]
    earlier = before[:, :levels] if len(before) else codes[:0]
    _, group = np.unique(np.concatenate([earlier, codes]), axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(group[order])) + 1]).astype(np.int64)[: len(order)]
    sizes = np.diff(np.append(starts, len(order)))
    ordinals = np.empty(len(order), np.int32)
    ordinals[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return np.concatenate([codes, ordinals[len(earlier) :, None]], axis=1)


def next_best(quantiser: Quantiser, vectors: npt.NDArray[Any], codes: IntArray, before: IntArray) -> IntArray:
    """Codes in which every row is unique: the first row keeps its own, later ones get the nearest that are free.

    Raises:
        InputError: there are more documents than codes.
    """
    room = quantiser.codebooks.shape[1] ** quantiser.levels
    if len(codes) + len(before) > room:
        raise InputError(
            f"{len(codes) + len(before)} documents and only {room} docids of {quantiser.levels} levels; give more codes "
            "or levels."
        )
    taken = set(map(tuple, before.tolist()))
    unique = codes.copy()
    later = []
    for row, code in enumerate(map(tuple, codes.tolist())):
        if code in taken:
            later.append(row)
        taken.add(code)
    for row in later:
        vector = np.asarray(vectors[row], np.float32)
        free = next(code for code in quantiser.alternatives(vector) if code not in taken)
        taken.add(free)
        unique[row] = free
    return unique
