"""The n-grams of a corpus as a constraint: a row range of the full-text index is all the state there is.

Knows token ids and row ranges; knows no text and no model. The index runs on the CPU with the GIL released;
tensors go to the model's device. Nothing here loops over beams.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fm_index import FMIndex, ShardedFMIndex
from genret.constraint.protocol import Documents, State, Successors
from genret.errors import InputError, UsageError

__all__ = ["FMIndexConstraint", "FMState"]

Ints = npt.NDArray[np.int64]
# A row that is OPEN may go on; after a CLOSED one only the end token may follow; an ENDED one has had it.
OPEN, CLOSED, ENDED = 0, 1, 2


@dataclass(frozen=True)
class FMState:
    """The n-gram of each row as a range of the index.

    Attributes:
        lo, hi: int64 [rows], or [rows, shards] for a sharded index.
        status: int8 [rows]; OPEN, CLOSED or ENDED.
    """

    lo: Ints
    hi: Ints
    status: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.status)

    @property
    def occurrences(self) -> Ints:
        """int64 [rows]: how often each n-gram occurs in the corpus."""
        counts = self.hi - self.lo
        return counts if counts.ndim == 1 else counts.sum(1)


@dataclass(frozen=True)
class Listed:
    """The entries of one call of `successors`: what `advance` needs to move on.

    Attributes:
        state: the rows that they continue.
        offsets: int64 [rows + 1].
        tokens: int32 [m].
        counts: int64 [m], or [m, shards]; occurrences of each continuation, 0 for the end token.
    """

    state: FMState
    offsets: Ints
    tokens: npt.NDArray[np.int32]
    counts: Ints


class FMIndexConstraint:
    """Only n-grams of the indexed documents come out (M. Bevilacqua et al., NeurIPS 2022, section 3).

    An n-gram is not continued where it occurs at most `stop_count` times, nor after one of `end_tokens`; nothing
    continues past a document's end. With `finishes`, the end token then follows, and also where an occurrence
    ends its document: hypotheses finish there. Without it no hypothesis finishes, for a search that keeps
    n-grams of every length. Counts include documents removed from a sharded index until it is compacted.

    Args:
        index: over the documents' tokens.
        eos: the model's end token; no document may hold it.
        device: the model's.
        at_start: n-grams begin at the first token of a document (titles), not anywhere.
        end_tokens: tokens after which an n-gram is over, such as the separator behind a title.
        stop_count: stop where no more than so many occurrences are left; 0: never.
        finishes: whether the end token is offered.

    Raises:
        InputError: a document holds `eos`.
    """

    def __init__(
        self,
        index: FMIndex | ShardedFMIndex,
        eos: int,
        device: torch.device | str = "cpu",
        *,
        at_start: bool = False,
        end_tokens: Collection[int] = (),
        stop_count: int = 0,
        finishes: bool = True,
    ) -> None:
        if stop_count < 0:
            raise UsageError(f"stop_count is {stop_count}; expected 0 or more.")
        if index.count([eos]):
            raise InputError(
                f"the indexed documents hold token {eos}, which ends the model's output; build the index without "
                "special tokens."
            )
        self.index, self.eos, self.device = index, eos, torch.device(device)
        self.at_start, self.stop_count, self.finishes = at_start, stop_count, finishes
        self._end_tokens = np.array(sorted(end_tokens), np.int64)

    @property
    def largest_token(self) -> int:
        """No document holds a greater token."""
        return self.index.vocab_size - 1

    def start(
        self,
        queries: int,
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        filters: Sequence[Any] | None = None,
    ) -> State:
        """One row a query: anywhere, at the documents' starts, or after its prefix.

        A prefix that no document has gives a row without successors; one that does may be continued however
        rare it is.

        Raises:
            UsageError: a filter is given; an index of n-grams cannot leave documents out.
        """
        if filters is not None and any(entry is not None for entry in filters):
            raise UsageError("an FM-index cannot filter by documents; filter what the search returns.")
        lo, hi = self._root()
        lo, hi = np.repeat(lo[None], queries, 0), np.repeat(hi[None], queries, 0)
        given = prefixes or []
        for place in range(max(map(len, given), default=0)):
            rows = [row for row, prefix in enumerate(given) if len(prefix) > place]
            tokens = [given[row][place] for row in rows]
            lo[rows], hi[rows] = self.index.step(lo[rows], hi[rows], tokens)
        return FMState(lo, hi, np.full(queries, OPEN, np.int8))

    def successors(self, state: State, size: int | None = None) -> Successors:
        """The tokens that follow each n-gram somewhere in the corpus, and the end token where it may stand."""
        held: FMState = state
        # Rows that are over get the empty range, which has no successors: every row goes through one call.
        going_on = _column(held.status == OPEN, held.lo)
        found = self.index.successors(np.where(going_on, held.lo, 0), np.where(going_on, held.hi, 0))
        # A sharded index gives the counts of every shard as well, which tell its ranges apart.
        listed = Listed(held, found[0], found[1], found[-1])
        if self.finishes:
            listed = self._with_end(listed)
        offsets, tokens = torch.from_numpy(listed.offsets), torch.from_numpy(listed.tokens)
        return Successors(
            offsets.to(self.device), tokens.to(self.device, torch.int64, non_blocking=True), payload=listed
        )

    def advance(self, successors: Successors, edges: Tensor) -> State:
        """The ranges behind the entries `edges` (int64 [n], positions in `successors.tokens`)."""
        listed: Listed = successors.payload
        places: Ints = edges.cpu().numpy()
        rows = np.searchsorted(listed.offsets, places, side="right") - 1
        tokens, counts = listed.tokens[places], listed.counts[places]
        lo, hi = listed.state.lo[rows], listed.state.hi[rows]
        ended = tokens == self.eos
        moved = np.flatnonzero(~ended)
        lo[moved], hi[moved] = self.index.children(lo[moved], hi[moved], tokens[moved], counts[moved])
        next_state = FMState(lo, hi, np.where(ended, ENDED, OPEN).astype(np.int8))
        # An n-gram of so few places tells its passages apart; what follows would only cost steps.
        closed = (next_state.occurrences <= self.stop_count) | np.isin(tokens, self._end_tokens)
        next_state.status[closed & ~ended] = CLOSED
        return next_state

    def documents(self, state: State, limit: int | None = None) -> Documents:
        """The documents that hold each row's n-gram, ascending; of at most `limit` those of its first rows."""
        held: FMState = state
        offsets, documents = self.index.documents(held.lo, held.hi, limit)
        return Documents(
            torch.from_numpy(offsets).to(self.device), torch.from_numpy(documents).to(self.device)
        )

    def _root(self) -> tuple[Ints, Ints]:
        found = self.index.document_start() if self.at_start else self.index.range([])
        return np.asarray(found[0], np.int64), np.asarray(found[1], np.int64)

    def _with_end(self, listed: Listed) -> Listed:
        """The same with the end token, in its place among the tokens of each row that it may follow."""
        state, offsets = listed.state, listed.offsets
        counts = listed.counts if listed.counts.ndim == 1 else listed.counts.sum(1)
        continued = np.concatenate([[0], np.cumsum(counts)])
        # More occurrences than continuations: somewhere a document ends behind this n-gram.
        stays = continued[offsets[1:]] - continued[offsets[:-1]] < state.occurrences
        rows = np.flatnonzero(
            (state.status == CLOSED) | ((state.status == OPEN) & stays & self._moved(state))
        )
        if not len(rows):
            return listed
        # Tokens ascend within a row, which `Successors` promises; the end token goes between.
        before = np.concatenate([[0], np.cumsum(listed.tokens < self.eos)])
        places = offsets[rows] + before[offsets[rows + 1]] - before[offsets[rows]]
        added = np.zeros(len(offsets), np.int64)
        added[rows + 1] = 1
        return Listed(
            state,
            offsets + np.cumsum(added),
            np.insert(listed.tokens, places, self.eos),
            np.insert(listed.counts, places, 0, axis=0),
        )

    def _moved(self, state: FMState) -> npt.NDArray[np.bool_]:
        """Rows that have left the root: the empty n-gram is none."""
        lo, hi = self._root()
        moved = (state.lo != lo) | (state.hi != hi)
        return np.asarray(moved if moved.ndim == 1 else moved.any(1))


def _column(flags: npt.NDArray[np.bool_], like: Ints) -> npt.NDArray[np.bool_]:
    """bool [rows] in a form that meets `like`, [rows] or [rows, shards]."""
    return flags if like.ndim == 1 else flags[:, None]
