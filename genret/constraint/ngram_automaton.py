"""The n-grams of a full-text index, and where they end: what may come next, in numpy.

Knows token ids and ranges of the index; knows no documents, no model and no torch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fm_index import FMIndex, ShardedFMIndex
from fm_index.arrays import Ints
from genret.errors import InputError, UsageError

__all__ = ["FMState", "Listed", "NgramAutomaton"]

# A row that is OPEN may go on; after a CLOSED one only the end token may follow; an ENDED one has had it; a DEAD
# one has had a token that might not come.
DEAD, OPEN, CLOSED, ENDED = -1, 0, 1, 2


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


class NgramAutomaton:
    """Which tokens may follow an n-gram of the index: what `FMIndexConstraint` and `PrefixStates` stand on.

    Arguments and errors are those of `FMIndexConstraint`. As an `Automaton`, a state is a row's status, `lo` and
    `hi`: int64 [3], or [1 + 2 * shards].
    """

    def __init__(
        self,
        index: FMIndex | ShardedFMIndex,
        eos: int,
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
        self.index, self.eos = index, eos
        self.at_start, self.stop_count, self.finishes = at_start, stop_count, finishes
        self._end_tokens = np.array(sorted(end_tokens), np.int64)

    @property
    def largest_token(self) -> int:
        """No document holds a greater token; the end token may be one."""
        return max(self.index.vocab_size - 1, self.eos)

    def start(self, rows: int) -> FMState:
        """So many rows before their first token."""
        lo, hi = self._root()
        return FMState(
            np.repeat(lo[None], rows, 0), np.repeat(hi[None], rows, 0), np.full(rows, OPEN, np.int8)
        )

    def listed(self, state: FMState) -> Listed:
        """The tokens that follow each n-gram somewhere in the corpus, and the end token where it may stand."""
        # Rows that are over get the empty range, which has no successors: every row goes through one call.
        lo, hi = _only(state.status == OPEN, state)
        found = self.index.successors(lo, hi)
        # A sharded index gives the counts of every shard as well, which tell its ranges apart.
        listed = Listed(state, found[0], found[1], found[-1])
        return self._with_end(listed) if self.finishes else listed

    def follow(self, listed: Listed, places: Ints) -> FMState:
        """The rows behind the entries `places` (int64 [n]) of `listed`."""
        rows = np.searchsorted(listed.offsets, places, side="right") - 1
        tokens, counts = listed.tokens[places], listed.counts[places]
        lo, hi = listed.state.lo[rows], listed.state.hi[rows]
        moved = np.flatnonzero(tokens != self.eos)
        lo[moved], hi[moved] = self.index.children(lo[moved], hi[moved], tokens[moved], counts[moved])
        return self._closed(lo, hi, tokens)

    def root(self) -> Ints:
        """The state before the first token: int64 [width]."""
        state: Ints = _packed(self.start(1))[0]
        return state

    def successors(self, states: Ints) -> tuple[Ints, Ints]:
        """The legal next tokens of `states` (int64 [rows, width]): offsets int64 [rows + 1], tokens int64 [m]."""
        listed = self.listed(self._unpacked(states))
        return listed.offsets, listed.tokens.astype(np.int64)

    def step(self, states: Ints, tokens: Ints) -> Ints:
        """Each row's state behind its token (int64 [rows]); what may not follow leads to a dead one."""
        state = self._unpacked(states)
        ending = np.flatnonzero(tokens == self.eos)
        lo, hi = self.index.step(*_only((state.status == OPEN) & (tokens != self.eos), state), tokens)
        lo[ending], hi[ending] = state.lo[ending], state.hi[ending]
        stepped = self._closed(lo, hi, tokens)
        listed = self.listed(FMState(lo[ending], hi[ending], state.status[ending]))
        ends = np.searchsorted(listed.offsets, np.flatnonzero(listed.tokens == self.eos), side="right") - 1
        stepped.status[np.setdiff1d(ending, ending[ends])] = DEAD
        stepped.status[(stepped.occurrences == 0) & (stepped.status != ENDED)] = DEAD
        return _packed(stepped)

    def _unpacked(self, states: Ints) -> FMState:
        lo, hi = np.split(states[:, 1:], 2, axis=1)
        if isinstance(self.index, FMIndex):
            lo, hi = lo[:, 0], hi[:, 0]
        return FMState(lo, hi, states[:, 0].astype(np.int8))

    def _closed(self, lo: Ints, hi: Ints, tokens: npt.NDArray[np.integer]) -> FMState:
        """The rows of these ranges behind their last `tokens`, each with its status."""
        ended = tokens == self.eos
        state = FMState(lo, hi, np.where(ended, ENDED, OPEN).astype(np.int8))
        # An n-gram of so few places tells its passages apart; what follows would only cost steps.
        closed = (state.occurrences <= self.stop_count) | np.isin(tokens, self._end_tokens)
        state.status[closed & ~ended] = CLOSED
        return state

    def _root(self) -> tuple[Ints, Ints]:
        found = self.index.document_start() if self.at_start else self.index.range([])
        return np.asarray(found[0], np.int64), np.asarray(found[1], np.int64)

    def _with_end(self, listed: Listed) -> Listed:
        """The same with the end token, in its place among the tokens of each row that it may follow."""
        state, offsets = listed.state, listed.offsets
        # More occurrences than continuations: somewhere a document ends behind this n-gram.
        stays = _row_sums(listed.counts, offsets) < state.occurrences
        rows = np.flatnonzero(
            (state.status == CLOSED) | ((state.status == OPEN) & stays & self._moved(state))
        )
        if not len(rows):
            return listed
        # Tokens ascend within a row, which `Successors` promises; the end token goes between.
        places = _first_not_below(listed.tokens, offsets[rows], offsets[rows + 1], self.eos)
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


def _row_sums(counts: Ints, offsets: Ints) -> Ints:
    """The sum of each row of counts [m] or [m, shards]: int64 [rows]."""
    sums = np.zeros(len(offsets) - 1, np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        found = np.add.reduceat(counts, offsets[filled], axis=0)
        sums[filled] = found if found.ndim == 1 else found.sum(1)
    return sums


def _first_not_below(values: npt.NDArray[np.integer], begins: Ints, ends: Ints, limit: int) -> Ints:
    """In each span of ascending values the first place that is not below the limit, or its end; all spans at once."""
    low, high = begins.copy(), ends.copy()
    while len(open_ := np.flatnonzero(low < high)):
        middle = (low[open_] + high[open_]) // 2
        below = values[middle] < limit
        low[open_[below]] = middle[below] + 1
        high[open_[~below]] = middle[~below]
    return low


def _only(kept: npt.NDArray[np.bool_], state: FMState) -> tuple[Ints, Ints]:
    """The ranges of the rows that are `kept` (bool [rows]), the empty range for the others."""
    column = kept if state.lo.ndim == 1 else kept[:, None]
    return np.where(column, state.lo, 0), np.where(column, state.hi, 0)


def _packed(state: FMState) -> Ints:
    """Status, `lo` and `hi` side by side: int64 [rows, width]."""
    return np.column_stack([state.status.astype(np.int64), state.lo, state.hi])
