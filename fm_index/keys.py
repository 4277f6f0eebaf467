"""Keys: the n-grams that a model gave for one query, with what is known about each of them.

Knows arrays only: no index, no text, no view by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fm_index.arrays import Ints, as_ints, pack

__all__ = ["Bools", "Floats", "Keys"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Rounding in float32 may leave the log-probability of a certain token a little above zero.
ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys of one query, in any order; make them with `from_ngrams`, or from arrays.

    Attributes:
        tokens: int64 [N]; all n-grams, one behind the other.
        offsets: int64 [n + 1]; key i is `tokens[offsets[i]:offsets[i + 1]]`, at least one token.
        log_probs: float64 [n]; natural logarithms, at most 0. The sum over the n-gram's tokens.
        multipliers: float64 [n]; what a key's weight is multiplied by (the weight of its view); 1 at first.
        bonuses: float64 [n]; what is added to the weight of a key that occurs; 0 at first.
        at_start: bool [n]; the key stands only at the first token of a passage, as a title does, and its
            occurrences are those; False at first.
        unigrams: bool [n]; the key, one token, nominates no passage and counts only where no n-gram covers
            it, with its log-odds as they are; False at first. A key of one token that is not marked so is an
            n-gram like any other.

    The last four may be given as one value for all keys.
    """

    tokens: Ints
    offsets: Ints
    log_probs: Floats
    multipliers: Floats = field(default_factory=lambda: np.ones(()))
    bonuses: Floats = field(default_factory=lambda: np.zeros(()))
    at_start: Bools = field(default_factory=lambda: np.zeros((), np.bool_))
    unigrams: Bools = field(default_factory=lambda: np.zeros((), np.bool_))

    def __post_init__(self) -> None:
        for name in ("tokens", "offsets"):
            object.__setattr__(self, name, as_ints(getattr(self, name), name))
        _check_offsets(self.offsets, len(self.tokens))
        for column in fields(self)[2:]:
            kind = np.bool_ if column.name in ("at_start", "unigrams") else np.float64
            values = _column(getattr(self, column.name), column.name, len(self), kind)
            object.__setattr__(self, column.name, values)
        self._check_values()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def from_ngrams(
        cls, ngrams: Sequence[Sequence[int]], log_probs: Sequence[float] | Floats, **columns: Any
    ) -> Self:
        """Keys of n-grams given one by one; `columns` are the optional attributes, by name."""
        tokens, offsets = pack(ngrams)
        return cls(tokens, offsets, np.asarray(log_probs, np.float64), **columns)

    @classmethod
    def concatenate(cls, parts: Sequence[Keys]) -> Self:
        """The keys of all parts, in order; key i of part p is key `sum(len(parts[:p])) + i`."""
        if not parts:
            return cls.from_ngrams([], [])
        ends = np.cumsum([0, *(len(part.tokens) for part in parts)])
        offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
        columns = {
            column.name: np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(cls)
            if column.name != "offsets"
        }
        return cls(offsets=np.concatenate([*offsets, ends[-1:]]), **columns)

    def ngram(self, key: int) -> list[int]:
        """The tokens of one key."""
        return [int(token) for token in self.tokens[self.offsets[key] : self.offsets[key + 1]]]

    @property
    def lengths(self) -> Ints:
        """int64 [n]: tokens of each key."""
        return np.diff(self.offsets)

    def _check_values(self) -> None:
        if not (self.log_probs <= ROUNDING).all():
            raise ValueError(f"log_probs: expected logarithms of at most 0, found {self.log_probs.max()}.")
        for name in ("multipliers", "bonuses"):
            values = getattr(self, name)
            if not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"{name}: expected finite numbers of 0 or more, found {values.min()}.")
        if (self.lengths[self.unigrams] != 1).any():
            raise ValueError("unigrams: expected keys of one token to be marked, found a longer one.")


def _check_offsets(offsets: Ints, size: int) -> None:
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != size:
        raise ValueError(f"offsets: expected to lead from 0 to {size}, the number of tokens.")
    if (np.diff(offsets) < 1).any():
        raise ValueError("offsets: expected every key to have at least one token.")


def _column(values: npt.ArrayLike, name: str, size: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The values as a contiguous array [size]; a single value stands for all."""
    array = np.asarray(values)
    if array.shape not in ((), (size,)):
        raise ValueError(f"{name}: expected shape ({size},), one entry a key, found {array.shape}.")
    if array.size and not np.can_cast(array.dtype, dtype, "safe"):
        raise TypeError(f"{name}: expected {dtype.__name__}, found {array.dtype}.")
    return np.array(np.broadcast_to(array, (size,)), dtype=dtype)
