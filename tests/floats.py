"""The one place where tests compare floats that need not be equal bit for bit.

Which kernel a processor takes, how many threads share a sum, and even at which address a weight begins decide in
which order a sum is added up. So every comparison says what may differ, as one of three bounds:

- `ulps`: units in the last place of the largest number compared (or of `scale`), for the same arithmetic in another
  order. What is lost there is lost at the size of the largest terms, so a small score beside large ones may be off
  by more than its own last place.
- `relative`: a share of each expected number, where numbers of unlike size are computed apart from one another.
- `within`: a distance, for what was sampled, or printed with so many digits. Never for rounding.

`tests/test_floats.py` keeps other comparisons out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["BFLOAT16", "DOUBLE", "FORWARD", "LOGITS", "SINGLE", "assert_close", "close"]

# Of float32 numbers that went through the tiny models of the tests: four blocks (two of an encoder, two of a
# decoder) of at most twelve products, each a sum of at most 64 terms. One addition errs by at most half a unit, either
# way; so many errors make a random walk of sqrt(4 * 12 * 64) / 2 = 28 units (Higham and Mary, "A new approach to
# probabilistic rounding error analysis", 2019, section 2). Four standard deviations, to the next power of two.
FORWARD = 128
# As `scale`: the logits of the tiny models and tables of the tests are below 16. A log-probability is the difference of
# two numbers of that size, and as exact as they are, however small it is itself.
LOGITS = 8.0
# Of numbers computed in double precision: 4,500 operations may err by 2**-53 each, all in one direction.
DOUBLE = 5e-13
# Of sums of terms of one sign, computed in float32: 160 operations may err by 2**-24 each, all in one direction.
SINGLE = 1e-5
# Of numbers stored in bfloat16 between operations, 8 bits long: two roundings of 2**-8 all in one direction.
BFLOAT16 = 2**-7


def assert_close(
    found: Any,
    expected: Any,
    *,
    ulps: float | None = None,
    relative: float | None = None,
    within: ArrayLike | None = None,
    scale: float = 0.0,
) -> None:
    """Fail unless `found` has the shape of `expected` and its numbers, but for one stated bound.

    Args:
        found: numbers, arrays, tensors, sequences of them, or mappings with the same keys.
        ulps: this many float32 units in the last place of the largest expected number, or of `scale`, if that is
            larger. Scores that are log-probabilities come from logits, which may be larger than they are.
        relative: this share of each expected number.
        within: this distance; one for all, or one for each number.
    """
    __tracebackhide__ = True
    fault = _fault(found, expected, ulps, relative, within, scale)
    if fault is not None:
        raise AssertionError(fault)


def close(found: Any, expected: Any, **bound: float) -> bool:
    """Whether `assert_close` would pass; for what must differ, and for choosing between several."""
    names = ("ulps", "relative", "within")
    return (
        _fault(found, expected, *(bound.pop(name, None) for name in names), **{"scale": 0.0, **bound}) is None
    )


def _fault(
    found: Any,
    expected: Any,
    ulps: float | None,
    relative: float | None,
    within: ArrayLike | None,
    scale: float,
) -> str | None:
    """What differs by more than the bound, in one sentence."""
    if isinstance(expected, Mapping) or isinstance(found, Mapping):
        if found.keys() != expected.keys():
            return (
                f"keys differ: {sorted(found.keys() ^ expected.keys(), key=str)} are in one of the two only"
            )
        keys = list(expected)
        found, expected = [found[key] for key in keys], [expected[key] for key in keys]
    else:
        keys = []
    one, other = _array(found), _array(expected)
    if one.shape != other.shape:
        return f"shapes differ: found {one.shape}, expected {other.shape}"
    with np.errstate(invalid="ignore"):
        distance = np.where(one == other, 0.0, np.abs(one - other))  # infinities, too
    allowed = _allowed(other, ulps, relative, within, scale)
    wrong = ~(distance <= allowed)  # not a number is never close
    if not wrong.any():
        return None
    places = np.flatnonzero(wrong)
    worst = int(places[np.argmax((distance / np.maximum(allowed, 1e-300)).ravel()[places])])
    where = keys[worst // (one.size // len(keys))] if keys else np.unravel_index(worst, one.shape)
    return (
        f"{len(places)} of {one.size} numbers are too far apart; at {where}: found {one.ravel()[worst]:.9g}, expected "
        f"{other.ravel()[worst]:.9g}, {distance.ravel()[worst]:.3g} apart where {allowed.ravel()[worst]:.3g} is allowed"
    )


def _allowed(
    expected: NDArray[np.float64],
    ulps: float | None,
    relative: float | None,
    within: ArrayLike | None,
    scale: float,
) -> NDArray[np.float64]:
    if sum(bound is not None for bound in (ulps, relative, within)) != 1:
        raise TypeError("one bound of ulps=, relative= and within=, please")
    if ulps is not None:
        finite = np.abs(expected[np.isfinite(expected)])
        largest = max(float(finite.max(initial=0.0)), scale)
        return np.full(expected.shape, ulps * float(np.spacing(np.float32(largest))))
    if relative is not None:
        return relative * np.abs(np.where(np.isfinite(expected), expected, 0.0))
    return np.broadcast_to(np.asarray(within, dtype=np.float64), expected.shape)


def _array(values: Any) -> NDArray[np.float64]:
    if isinstance(values, torch.Tensor):
        return values.detach().to(torch.float64).cpu().numpy()
    if isinstance(values, Sequence | np.ndarray) and any(isinstance(one, torch.Tensor) for one in values):
        return np.stack([_array(one) for one in values])
    return np.asarray(values, dtype=np.float64)
