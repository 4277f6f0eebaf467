"""Logits in which only legal tokens are left: in place, and without a tensor of the vocabulary's size a row.

Knows logits and lists of tokens; knows no set.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from docid.ragged import IntArray, take_rows
from genret.engines.constrained_rows import Legal

__all__ = ["keep_legal"]

# Lists up to this length are gathered and put back; longer ones, as those of a root, become a row of the
# vocabulary's size, once for all rows that share one.
LISTED = 1024


def keep_legal(logits: Tensor, places: IntArray, legal: Legal) -> None:
    """Set what is not legal to -inf; the logits of legal tokens stay as they are.

    Args:
        logits: float [rows, V]; changed in place.
        places: int64; the row of `logits` of each row that `legal.places` counts.
        legal: of one set.
    """
    rows = places[legal.places]
    short = legal.lists.lengths[legal.list_of] <= LISTED
    _keep_listed(logits, rows[short], legal, legal.list_of[short])
    for number in np.unique(legal.list_of[~short]):
        begin, end = legal.lists.offsets[number : number + 2]
        # Added, as that is many times faster than a fill by a mask: x + 0 is x, and x - inf is -inf.
        added = torch.full((logits.shape[1],), -torch.inf, dtype=logits.dtype)
        added[torch.from_numpy(legal.lists.values[begin:end])] = 0
        _on_rows(logits, rows[legal.list_of == number], added.to(logits.device))


def _keep_listed(logits: Tensor, rows: IntArray, legal: Legal, list_of: IntArray) -> None:
    if not len(rows):
        return
    tokens, offsets = take_rows(legal.lists, list_of)
    entries = np.stack([np.repeat(rows, np.diff(offsets)), tokens])
    row, token = torch.from_numpy(entries).to(logits.device)
    kept = logits[row, token]
    _on_rows(logits, rows, None)
    logits[row, token] = kept


def _on_rows(logits: Tensor, rows: IntArray, added: Tensor | None) -> None:
    """Add to rows, or (None) fill them with -inf: on a CPU one after the other, which is in the cache, else at once."""
    if logits.device.type == "cpu":
        for row in rows.tolist():
            logits[row].fill_(-torch.inf) if added is None else logits[row].add_(added)
        return
    places = torch.from_numpy(rows).to(logits.device)
    if added is None:
        logits.index_fill_(0, places, -torch.inf)
    else:
        logits.index_add_(0, places, added.expand(len(rows), -1))
