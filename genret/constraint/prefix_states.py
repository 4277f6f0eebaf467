"""Where each row of an engine's batch stands in a set of docids or n-grams: numpy in and out, no torch.

The stable interface for engines of others. Knows token ids and row numbers; knows no model and no documents.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from docid.ragged import Ragged, take_rows
from docid.trie import DocidTrie
from fm_index.arrays import Ints, as_ints
from fm_index.bits import BITS, fill_bits
from genret.constraint.subset import Subset
from genret.errors import UsageError

__all__ = ["Automaton", "PrefixStates", "TrieAutomaton"]

# States after which more tokens than this may come are few and come again and again, as the root does: the masks of so
# many of them are kept, V / 8 bytes each.
WIDE, MASKS = 256, 1024


class Automaton(Protocol):
    """What `PrefixStates` stands on. A state is int64 [width], and negative in its first place where it is dead."""

    eos: int

    @property
    def largest_token(self) -> int:
        """The greatest token id that may come, the end token included."""
        ...

    def root(self) -> Ints:
        """The state before the first token: int64 [width]."""
        ...

    def successors(self, states: Ints) -> tuple[Ints, Ints]:
        """The legal next tokens of `states` (int64 [rows, width]), ascending: offsets [rows + 1], tokens [m]."""
        ...

    def step(self, states: Ints, tokens: Ints) -> Ints:
        """Each row's state behind its token (int64 [rows]); what may not follow leads to a dead one."""
        ...


class TrieAutomaton:
    """The docids of a trie, each closed by the end token; of some documents alone, where a subset is given.

    Args:
        trie: the docids.
        subset: `build_subset(trie, documents, removed)`: the documents that a condition lets through, or that were
            not removed. The arrays of the trie are shared by all.
    """

    def __init__(self, trie: DocidTrie, subset: Subset | None = None) -> None:
        self.trie, self.subset, self.eos = trie, subset, trie.eos
        self.largest_token = max(self.eos, *(int(part.max(initial=0)) for part in (trie.tokens, trie.tails)))

    def root(self) -> Ints:
        """int64 [1]."""
        return np.array([self.trie.root], np.int64)

    def successors(self, states: Ints) -> tuple[Ints, Ints]:
        """See `Automaton`."""
        offsets, tokens, edges = self.trie.successors(states[:, 0])
        if self.subset is None:
            return offsets, tokens
        kept = np.flatnonzero(self.subset.leads_on(self.trie, edges))
        # `kept` ascends: as many of it as lie below an old bound are the new bound.
        return np.searchsorted(kept, offsets), tokens[kept]

    def step(self, states: Ints, tokens: Ints) -> Ints:
        """See `Automaton`."""
        edges = self.trie.find(states[:, 0], tokens)
        if self.subset is not None:
            edges[~self.subset.leads_on(self.trie, edges)] = -1
        return self.trie.advance(edges)[:, None]


class PrefixStates:
    """The rows of a batch, each somewhere in the set: what it may emit next, as a bitmask or as lists of tokens.

    One call serves all rows of a step; no prefix is walked again, and rows that stand at the same place are
    answered once. Row numbers are the engine's own, from 0 up. They and all tokens are integers, lists or arrays
    of one dimension; where a call changes rows, it names each at most once.

    The end token is legal exactly where a docid (or n-gram) ends. A row that has had a token that was not legal
    is dead until it is rewound or added anew. Dead rows, rows that have had their end token, and rows of an empty
    set have nothing legal; they may emit the end token alone, since engines cannot sample from nothing, and are
    dead after it. Not to be used by several threads at a time; the automaton may be shared.

    Args:
        automaton: the set.
        vocab_size: V, how many tokens the model's output has.
        max_rewind: how many tokens of a row can be taken back; each costs 8 bytes a row (24 for an FM-index).

    Raises:
        UsageError: a token of the set, or its end token, does not fit into the vocabulary.
    """

    def __init__(self, automaton: Automaton, vocab_size: int, *, max_rewind: int = 16) -> None:
        if automaton.largest_token >= vocab_size:
            raise UsageError(
                f"token {automaton.largest_token} of the set is outside the vocabulary of {vocab_size}; was it "
                "made for another model?"
            )
        if max_rewind < 0:
            raise UsageError(f"max_rewind is {max_rewind}; expected 0 or more.")
        self.automaton, self.vocab_size, self.max_rewind = automaton, vocab_size, max_rewind
        self._root = automaton.root()
        self._wide: OrderedDict[bytes, npt.NDArray[np.int32]] = OrderedDict()
        # A ring of each row's last states: that behind its n-th token is in place n % (max_rewind + 1).
        self._states = np.zeros((0, max_rewind + 1, len(self._root)), np.int64)
        # Tokens since the row was added, -1 where there is no such row; and how many can be taken back.
        self._lengths = np.zeros(0, np.int64)
        self._kept = np.zeros(0, np.int64)

    def add(
        self, rows: npt.ArrayLike, prefixes: Sequence[npt.ArrayLike] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Begin rows, new ones or ones in use, at the root or behind the tokens that they already hold.

        Also how an engine's row is found again from its tokens. The tokens of `prefixes` cannot be taken back.

        Args:
            rows: [n].
            prefixes: for each row the tokens of its docid so far, wherever in prompt or output they are.

        Returns:
            bool [n]: whether the row is in the set; False for a dead one.

        Raises:
            UsageError: a row comes twice or is negative, or there is not one prefix a row.
        """
        rows = _distinct(as_ints(rows, "rows"))
        states = np.repeat(self._root[None], len(rows), 0)
        given = [as_ints(prefix, "prefixes") for prefix in prefixes or [[]] * len(rows)]
        if len(given) != len(rows):
            raise UsageError(f"{len(given)} prefixes for {len(rows)} rows; expected one a row.")
        lengths = np.array([len(prefix) for prefix in given], np.int64)
        for place in range(int(lengths.max(initial=0))):
            going_on = np.flatnonzero(lengths > place)
            tokens = np.array([given[row][place] for row in going_on], np.int64)
            states[going_on] = self.automaton.step(states[going_on], tokens)
        self._grow(int(rows.max(initial=-1)) + 1)
        self._states[rows, 0], self._lengths[rows], self._kept[rows] = states, 0, 0
        return states[:, 0] >= 0

    def remove(self, rows: npt.ArrayLike) -> None:
        """Give rows up; their numbers may be added again.

        Raises:
            UsageError: there is no such row.
        """
        self._lengths[self._known(rows)] = -1

    def move(self, sources: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Let row `targets[i]` be what row `sources[i]` was, all at once; what a target was is forgotten.

        Sources that are no targets are no rows any more: `move([7], [2])` moves, `move([2, 7], [7, 2])` swaps,
        `move([2, 2], [2, 5])` copies, as beams need it.

        Args:
            sources: [n]; may repeat.
            targets: [n]; rows in use or not.

        Raises:
            UsageError: a source is no row, a target comes twice or is negative, or there are not as many.
        """
        begins, ends = self._known(sources), _distinct(as_ints(targets, "targets"))
        _as_many(begins, ends, "targets")
        self._grow(int(ends.max(initial=-1)) + 1)
        states, lengths, kept = self._states[begins], self._lengths[begins], self._kept[begins]
        self._lengths[begins] = -1
        self._states[ends], self._lengths[ends], self._kept[ends] = states, lengths, kept

    def advance(self, rows: npt.ArrayLike, tokens: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Move each row by the token that it emitted; call it once a token where there are several.

        Args:
            rows: [n].
            tokens: [n].

        Returns:
            bool [n]: whether the token was legal; False for a row that is dead now.

        Raises:
            UsageError: there is no such row, a row comes twice, or there is not one token a row.
        """
        numbers, chosen = _distinct(self._known(rows)), as_ints(tokens, "tokens")
        _as_many(numbers, chosen, "tokens")
        states = self.automaton.step(self._current(numbers), chosen)
        self._lengths[numbers] += 1
        self._kept[numbers] = np.minimum(self._kept[numbers] + 1, self.max_rewind)
        self._states[numbers, self._lengths[numbers] % (self.max_rewind + 1)] = states
        return states[:, 0] >= 0

    def rewind(self, rows: npt.ArrayLike, counts: npt.ArrayLike) -> None:
        """Take each row's last tokens back, those that killed it among them; none is taken back where one cannot be.

        Args:
            rows: [n].
            counts: [n]; 0 or more.

        Raises:
            UsageError: there is no such row, a row comes twice, or it has fewer tokens that can be taken back.
        """
        numbers, back = _distinct(self._known(rows)), as_ints(counts, "counts")
        _as_many(numbers, back, "counts")
        for place in np.flatnonzero((back < 0) | (back > self._kept[numbers]))[:1]:
            raise UsageError(
                f"row {numbers[place]}: cannot take {back[place]} tokens back, expected 0 to "
                f"{self._kept[numbers[place]]}; add it anew with its tokens, or set max_rewind."
            )
        self._lengths[numbers] -= back
        self._kept[numbers] -= back

    def allowed(self, rows: npt.ArrayLike) -> Ragged:
        """The tokens that each row (rows: [n], may repeat) may emit next; no row is without.

        Returns:
            tokens, ascending within a row: `values` int64 [m], row i's are `values[offsets[i]:offsets[i + 1]]`.

        Raises:
            UsageError: there is no such row.
        """
        return take_rows(*self.distinct_allowed(rows))

    def distinct_allowed(self, rows: npt.ArrayLike) -> tuple[Ragged, Ints]:
        """As `allowed`, with what rows at the same place may emit listed once, and which list is each row's: int64 [n].

        Raises:
            UsageError: there is no such row.
        """
        distinct, places = _distinct_rows(self._current(self._known(rows)))
        return self._legal(distinct), places

    def fill_bitmask(self, rows: npt.ArrayLike, out: npt.NDArray[np.int32]) -> None:
        """Write what `allowed` says as bits, as xgrammar and the engines that use it read them.

        Token v is bit v % 32 of word v // 32; 1 is allowed; bits past the vocabulary's end are 0.

        Args:
            rows: [n]; may repeat.
            out: int32 [n, ceil(V / 32)], overwritten; a CPU tensor's `numpy()` will do.

        Raises:
            UsageError: there is no such row, or `out` has another shape or dtype.
        """
        distinct, places = _distinct_rows(self._current(self._known(rows)))
        shape = (len(places), -(-self.vocab_size // BITS))
        if out.dtype != np.int32 or out.shape != shape:
            raise UsageError(f"out is {out.dtype} {list(out.shape)}; expected int32 {list(shape)}.")
        np.take(self._masks(distinct, shape[1]), places, axis=0, out=out, mode="clip")

    def _masks(self, states: Ints, words: int) -> npt.NDArray[np.int32]:
        """The bits of each of `states`: int32 [n, words]. Where much is legal they are kept for later steps."""
        masks = np.empty((len(states), words), np.int32)
        keys = [state.tobytes() for state in states]
        fresh = []
        for place, key in enumerate(keys):
            if key in self._wide:
                self._wide.move_to_end(key)
                masks[place] = self._wide[key]
            else:
                fresh.append(place)
        legal = self._legal(states[fresh])
        listed = np.empty((len(fresh), words), np.int32)
        fill_bits(legal.offsets, legal.values, np.arange(len(fresh)), listed)
        masks[fresh] = listed
        for number in np.flatnonzero(legal.lengths > WIDE):
            self._wide[keys[fresh[number]]] = listed[number].copy()
        while len(self._wide) > MASKS:
            self._wide.popitem(last=False)
        return masks

    def _legal(self, states: Ints) -> Ragged:
        """What may follow each of `states`; the end token where nothing may."""
        offsets, tokens = self.automaton.successors(states)
        empty = np.diff(offsets) == 0
        if not empty.any():
            return Ragged(tokens, offsets)
        values = np.insert(tokens, offsets[:-1][empty], self.automaton.eos)
        return Ragged(values, offsets + np.concatenate([[0], np.cumsum(empty)]))

    def _current(self, rows: Ints) -> Ints:
        """The states of rows: int64 [n, width]."""
        current: Ints = self._states[rows, self._lengths[rows] % (self.max_rewind + 1)]
        return current

    def _known(self, rows: npt.ArrayLike) -> Ints:
        numbers = as_ints(rows, "rows")
        outside = (numbers < 0) | (numbers >= len(self._lengths))
        absent = outside | (self._lengths.take(numbers, mode="clip") < 0) if len(self._lengths) else outside
        for row in numbers[absent][:1]:
            raise UsageError(f"row {row}: no such row; add it first.")
        return numbers

    def _grow(self, rows: int) -> None:
        """Room for rows up to `rows`, twice as much as there was where there is too little."""
        more = max(rows, 2 * len(self._lengths)) - len(self._lengths) if rows > len(self._lengths) else 0
        self._states = np.pad(self._states, [(0, more), (0, 0), (0, 0)]) if more else self._states
        self._lengths = np.append(self._lengths, np.full(more, -1))
        self._kept = np.append(self._kept, np.zeros(more, np.int64))


def _distinct(rows: Ints) -> Ints:
    """`rows`, which are to be numbers from 0 up, each once."""
    ordered = np.sort(rows)
    for row in ordered[:1][ordered[:1] < 0]:
        raise UsageError(f"row {row}: expected numbers from 0 up.")
    for row in ordered[1:][np.diff(ordered) == 0][:1]:
        raise UsageError(f"row {row} comes twice; expected each row once.")
    return rows


def _distinct_rows(states: Ints) -> tuple[Ints, Ints]:
    """The distinct rows of states [n, width], ascending, and which of them each is: int64 [n]."""
    if states.shape[1] == 1:
        distinct, places = np.unique(states[:, 0], return_inverse=True)
        return distinct[:, None], places
    distinct, places = np.unique(states, axis=0, return_inverse=True)
    return distinct, places.reshape(-1)


def _as_many(rows: Ints, values: Ints, name: str) -> None:
    if len(rows) != len(values):
        raise UsageError(f"{len(values)} {name} for {len(rows)} rows; expected one a row.")
