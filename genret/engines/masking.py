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

# Lists up to this length are gathered and put back; longer ones, as those of a root, become a mask that is made once.
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
        illegal = torch.ones(logits.shape[1], dtype=torch.bool)
        begin, end = legal.lists.offsets[number : number + 2]
        illegal[torch.from_numpy(legal.lists.values[begin:end])] = False
        illegal = illegal.to(logits.device)
        for row in rows[legal.list_of == number].tolist():
            logits[row].masked_fill_(illegal, -torch.inf)


def _keep_listed(logits: Tensor, rows: IntArray, legal: Legal, list_of: IntArray) -> None:
    if not len(rows):
        return
    tokens, offsets = take_rows(legal.lists, list_of)
    entries = np.stack([np.repeat(rows, np.diff(offsets)), tokens])
    row, token = torch.from_numpy(entries).to(logits.device)
    kept = logits[row, token]
    logits.index_fill_(0, torch.from_numpy(rows).to(logits.device), -torch.inf)
    logits[row, token] = kept
