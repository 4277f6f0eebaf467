"""Which examples a step sees: named sources mixed by ratios, a pure function of (seed, step).

Knows positions and permutations; knows nothing of what an example holds. Because a batch is computed from its
step alone, a resumed run reads exactly what the undisturbed one would have read (shuffled streams do not), and so
does any number of workers that share a step.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Interval

from genret.config import Steps, check_bounds
from genret.errors import InputError

__all__ = ["Drawn", "Mixture", "MixtureOptions"]

IntArray = npt.NDArray[np.int64]

# Ratios are kept to a thousandth: each run of this many examples holds every source in its exact share.
CYCLE = 1000
# Longer permutations than this are computed entry by entry instead of being held in memory.
LARGEST_PERMUTATION = 1 << 22
FEISTEL_ROUNDS = 6


@dataclass(frozen=True)
class MixtureOptions:
    """How ratios and sizes become shares, and how much of a source an epoch is.

    Attributes:
        temperature: None: the ratios are the shares. Otherwise they weigh sizes: a source of n examples has a
            share in proportion to ratio * n ** (1 / temperature) (Raffel et al., "T5", JMLR 2020, section 3.5.2);
            1 is in proportion to size, a large one makes sources equal.
        caps: an epoch of the named source is this many examples, another random part each time; it counts for so
            many under `temperature`.
    """

    temperature: Annotated[float, Interval(ge=1, le=1e9)] | None = None
    caps: dict[str, Steps] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_bounds(self)


class Drawn(NamedTuple):
    """One drawn example: the name of its source and its position in there."""

    source: str
    row: int


class Mixture:
    """Draws from sources of given sizes in given proportions, each source without replacement by epoch.

    Every cycle of 1,000 draws holds each source in its share, in an order shuffled by (seed, cycle); the i-th
    draw from a source whose epoch is m of its n examples is entry `i % m` of the permutation of n that belongs to
    (seed, source, epoch `i // m`).

    Attributes:
        names: the sources, in the order given.
        sizes: all examples of each.
        epoch_sizes: examples of an epoch of each.
        shares: draws of each source among 1,000.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        ratios: Mapping[str, float],
        *,
        seed: int,
        options: MixtureOptions | None = None,
    ) -> None:
        options = options or MixtureOptions()
        _check(sizes, ratios, options)
        self.names = [name for name, ratio in ratios.items() if ratio > 0]
        self.sizes = [sizes[name] for name in self.names]
        self.epoch_sizes = [min(sizes[name], options.caps.get(name, sizes[name])) for name in self.names]
        power = 0.0 if options.temperature is None else 1 / options.temperature
        self.shares = _shares(
            [ratios[name] * size**power for name, size in zip(self.names, self.epoch_sizes, strict=True)]
        )
        self.seed = seed
        self._pattern = lru_cache(maxsize=4)(self._shuffled_pattern)
        self._permutation = lru_cache(maxsize=4 * len(self.names))(self._epoch_permutation)

    @property
    def identity(self) -> dict[str, dict[str, int]]:
        """What a checkpoint must agree with, by source."""
        columns = {"shares": self.shares, "sizes": self.sizes, "epoch_sizes": self.epoch_sizes}
        return {name: dict(zip(self.names, values, strict=True)) for name, values in columns.items()}

    def batch(self, step: int, size: int) -> list[Drawn]:
        """The `size` draws of step `step` (counted from 0)."""
        return [self.draw(position) for position in range(step * size, (step + 1) * size)]

    def draw(self, position: int) -> Drawn:
        """The draw at a position of the endless sequence."""
        cycle, slot = divmod(position, CYCLE)
        pattern, earlier = self._pattern(cycle)
        source = int(pattern[slot])
        epoch, place = divmod(cycle * self.shares[source] + int(earlier[slot]), self.epoch_sizes[source])
        return Drawn(self.names[source], self._permutation(source, epoch)(place))

    def counts(self, position: int) -> dict[str, int]:
        """How many examples of each source were drawn before `position`, exactly."""
        cycle, slot = divmod(position, CYCLE)
        before = np.bincount(self._pattern(cycle)[0][:slot], minlength=len(self.names))
        drawn = (cycle * share + int(part) for share, part in zip(self.shares, before, strict=True))
        return dict(zip(self.names, drawn, strict=True))

    def epochs(self, position: int) -> dict[str, float]:
        """How often each source has been gone through before `position`."""
        counts = self.counts(position)
        return {name: counts[name] / size for name, size in zip(self.names, self.epoch_sizes, strict=True)}

    def _shuffled_pattern(self, cycle: int) -> tuple[IntArray, IntArray]:
        """The source of each slot of a cycle, and how many earlier slots of it have the same source."""
        pattern = np.repeat(np.arange(len(self.names)), self.shares)
        np.random.default_rng([self.seed, 0, cycle]).shuffle(pattern)
        earlier = np.empty(CYCLE, np.int64)
        for source in range(len(self.names)):
            slots = np.flatnonzero(pattern == source)
            earlier[slots] = np.arange(len(slots))
        return pattern, earlier

    def _epoch_permutation(self, source: int, epoch: int) -> Callable[[int], int]:
        size, key = self.sizes[source], [self.seed, 1, zlib.crc32(self.names[source].encode()), epoch]
        if size > LARGEST_PERMUTATION:
            return feistel(size, key)
        order = np.random.default_rng(key).permutation(size)
        return lambda place: int(order[place])


def feistel(size: int, key: Sequence[int]) -> Callable[[int], int]:
    """A permutation of 0 to `size` - 1 that is computed entry by entry, in no memory.

    A balanced Feistel network over the next power of four, walked on until it is inside (Black and Rogaway,
    "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, sections 3 and 4); its round functions mix bits, which is
    enough to shuffle and hides nothing.
    """
    bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << bits) - 1
    keys = [int(one) for one in np.random.default_rng(key).integers(1, 1 << 62, FEISTEL_ROUNDS)]

    def once(place: int) -> int:
        left, right = place >> bits, place & mask
        for secret in keys:
            mixed = (right * 0x9E3779B97F4A7C15 + secret) & 0xFFFFFFFFFFFFFFFF
            mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
            left, right = right, left ^ (mixed >> 40) & mask
        return left << bits | right

    def entry(place: int) -> int:
        place = once(place)
        while place >= size:
            place = once(place)
        return place

    return entry


def _check(sizes: Mapping[str, int], ratios: Mapping[str, float], options: MixtureOptions) -> None:
    for name in options.caps:
        if name not in ratios:
            raise InputError(f"mixture: caps.{name}: no source of the mixture has this name.")
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
