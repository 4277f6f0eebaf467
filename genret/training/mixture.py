"""Which examples a step sees: named sources mixed by ratios, a pure function of (seed, step).

Knows positions and permutations; knows nothing of what an example holds. Because a batch is computed from its
step alone, a resumed run reads exactly what the undisturbed one would have read (shuffled streams do not).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genret.errors import InputError

__all__ = ["Drawn", "Mixture"]

IntArray = npt.NDArray[np.int64]

# Ratios are kept to a thousandth: each run of this many examples holds every source in its exact share.
CYCLE = 1000


class Drawn(NamedTuple):
    """One drawn example: the name of its source and its position in there."""

    source: str
    row: int


class Mixture:
    """Draws from sources of given sizes in given proportions, each source without replacement by epoch.

    Every cycle of 1,000 draws holds each source in its share, in an order shuffled by (seed, cycle); the i-th
    draw from a source of n examples is entry `i % n` of the permutation of (seed, source, epoch `i // n`).

    Attributes:
        names: the sources, in the order given.
        shares: draws of each source among 1,000.
    """

    def __init__(self, sizes: Mapping[str, int], ratios: Mapping[str, float], *, seed: int) -> None:
        _check(sizes, ratios)
        self.names = [name for name, ratio in ratios.items() if ratio > 0]
        self.sizes = [sizes[name] for name in self.names]
        self.shares = _shares([ratios[name] for name in self.names])
        self.seed = seed
        self._pattern = lru_cache(maxsize=4)(self._shuffled_pattern)
        self._permutation = lru_cache(maxsize=4 * len(self.names))(self._epoch_permutation)

    def batch(self, step: int, size: int) -> list[Drawn]:
        """The `size` draws of step `step` (counted from 0)."""
        return [self.draw(position) for position in range(step * size, (step + 1) * size)]

    def draw(self, position: int) -> Drawn:
        """The draw at a position of the endless sequence."""
        cycle, slot = divmod(position, CYCLE)
        pattern, earlier = self._pattern(cycle)
        source = int(pattern[slot])
        epoch, place = divmod(cycle * self.shares[source] + int(earlier[slot]), self.sizes[source])
        return Drawn(self.names[source], int(self._permutation(source, epoch)[place]))

    def epochs(self, position: int) -> dict[str, float]:
        """How often each source has been gone through before `position`."""
        cycle, slot = divmod(position, CYCLE)
        before = np.bincount(self._pattern(cycle)[0][:slot], minlength=len(self.names))
        counts = [cycle * share + int(part) for share, part in zip(self.shares, before, strict=True)]
        return {name: count / size for name, count, size in zip(self.names, counts, self.sizes, strict=True)}

    def _shuffled_pattern(self, cycle: int) -> tuple[IntArray, IntArray]:
        """The source of each slot of a cycle, and how many earlier slots of it have the same source."""
        pattern = np.repeat(np.arange(len(self.names)), self.shares)
        np.random.default_rng([self.seed, 0, cycle]).shuffle(pattern)
        earlier = np.empty(CYCLE, np.int64)
        for source in range(len(self.names)):
            slots = np.flatnonzero(pattern == source)
            earlier[slots] = np.arange(len(slots))
        return pattern, earlier

    def _epoch_permutation(self, source: int, epoch: int) -> IntArray:
        name = zlib.crc32(self.names[source].encode())
        return np.random.default_rng([self.seed, 1, name, epoch]).permutation(self.sizes[source])


def _check(sizes: Mapping[str, int], ratios: Mapping[str, float]) -> None:
    for name, ratio in ratios.items():
        if name not in sizes:
            raise InputError(f"mixture: no source is called {name!r}; there are {', '.join(sorted(sizes))}.")
        if not ratio >= 0:
            raise InputError(f"mixture: the ratio of {name!r} is {ratio}; expected zero or more.")
        if ratio > 0 and sizes[name] == 0:
            raise InputError(f"mixture: source {name!r} holds no example; set its ratio to 0.")
    if not any(ratios.values()):
        raise InputError("mixture: no source has a ratio above zero.")


def _shares(ratios: Sequence[float]) -> list[int]:
    """Whole shares that sum to the cycle, by largest remainder, at least one each."""
    exact = np.asarray(ratios, np.float64) / sum(ratios) * CYCLE
    shares = np.maximum(np.floor(exact).astype(np.int64), 1)
    order = np.argsort(shares - exact, kind="stable")
    for place in range(CYCLE - int(shares.sum())):
        shares[order[place % len(order)]] += 1
    while shares.sum() > CYCLE:
        shares[np.argmax(shares)] -= 1
    return [int(share) for share in shares]
