"""What a key is worth, from how likely the model found it and how often the corpus holds it.

Knows counts and probabilities; knows no passage. The formula is that of SEAL (Bevilacqua et al.,
Autoregressive Search Engines, 2022, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fm_index.arrays import Ints
from fm_index.keys import Floats, Keys

__all__ = ["ScoringOptions", "log1mexp", "weights_of"]

# What LM-only weights stay above the least likely key of a query.
MARGIN = 0.1
# The logarithm of the largest probability below one.
NEARLY_CERTAIN = float(np.log1p(-(2.0**-53)))


@dataclass(frozen=True)
class ScoringOptions:
    """Every constant of the scorer.

    With F occurrences of an n-gram of |n| tokens in a corpus of N tokens, `ln = log((F + smoothing) /
    (N + smoothing))` and `lp = log_prob * (1 - length_discount)^(|n| - 1)`, a key's weight is

        max(0, (lp + log(1 - e^ln)) - (ln + log(1 - e^lp)))^alpha

    times its multiplier plus its bonus, and zero when F = 0. Unigrams take the log-odds without alpha.

    Attributes:
        smoothing: added to F and N; above 0.
        length_discount: lambda in [0, 1); a key's log-probability shrinks by it for each token after the first.
        alpha: exponent of the log-odds; above 0.
        beta: in [0, 1]; how much of a key's weight a passage loses when its tokens were all counted already:
            the factor is `1 - beta + beta * |set(n) - C| / |set(n)|`, C the tokens of the better keys.
        max_occurrences: keys that occur more often nominate no passage; they still score the nominated.
        max_candidates: so many passages, the best by the sum of the weights that nominated them, are scored.
        single_key: in [0, 1]; the share of the best single n-gram's weight in a passage's score.
        lm_only: weights from the model alone, as the paper's LM baseline has them:
            `(max(0, log_prob - (least - 0.1)) * (1 - length_discount)^(|n| - 1))^alpha`, `least` the smallest
            log-probability among the query's n-grams (among its unigrams, for unigrams).
        overlaps: count every key of a passage, also where it overlaps a better one; with `beta=0` the score is
            the plain sum over the keys that a passage holds, as in MINDER (Li et al. 2023).
    """

    smoothing: float = 5.0
    length_discount: float = 0.0
    alpha: float = 2.0
    beta: float = 0.8
    max_occurrences: int = 1500
    max_candidates: int = 1500
    single_key: float = 0.0
    lm_only: bool = False
    overlaps: bool = False

    def __post_init__(self) -> None:
        self._require(0 < self.smoothing < np.inf, "smoothing", "a number above 0")
        self._require(0 <= self.length_discount < 1, "length_discount", "at least 0 and below 1")
        self._require(0 < self.alpha < np.inf, "alpha", "a number above 0")
        self._require(0 <= self.beta <= 1, "beta", "0 to 1")
        self._require(0 <= self.single_key <= 1, "single_key", "0 to 1")
        for name in ("max_occurrences", "max_candidates"):
            value = getattr(self, name)
            self._require(isinstance(value, int) and 1 <= value < 1 << 62, name, "a whole number from 1 on")

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name}: expected {expected}, found {getattr(self, name)!r}.")


def log1mexp(x: Floats) -> Floats:
    """`log(1 - exp(x))` of numbers below 0, exact at both ends; -inf at 0 (Maechler 2012)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > -np.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def weights_of(
    keys: Keys, occurrences: Ints, num_tokens: int, options: ScoringOptions, queries: Ints | None = None
) -> Floats:
    """float64 [n]: the weight of each key that occurs `occurrences` [n] times among `num_tokens` tokens.

    `queries`: int64 [n]; which query a key belongs to, ascending; one query when None. Only LM-only weights
    depend on a query's other keys.
    """
    # A longer n-gram has a lower probability for its length alone, and is not punished twice.
    discounts = (1 - options.length_discount) ** (keys.lengths - 1)
    if options.lm_only:
        rows = np.zeros(len(keys), np.int64) if queries is None else queries
        base = _above_least(keys.log_probs, 2 * rows + keys.unigrams) * discounts
    else:
        base = _log_odds(keys.log_probs * discounts, occurrences, num_tokens, options.smoothing)
    base = np.where(keys.unigrams, base, base**options.alpha)
    return np.where(occurrences > 0, base * keys.multipliers + keys.bonuses, 0.0)


def _log_odds(log_probs: Floats, occurrences: Ints, num_tokens: int, smoothing: float) -> Floats:
    found = np.log((occurrences + smoothing) / (num_tokens + smoothing))
    # Float32 rounds probabilities near one to one, whose odds are infinite.
    given = np.minimum(log_probs, NEARLY_CERTAIN)
    odds: Floats = (given + log1mexp(found)) - (found + log1mexp(given))
    # What the model finds no likelier than chance says nothing for a passage, and nothing against it.
    return np.maximum(odds, 0.0)


def _above_least(log_probs: Floats, groups: Ints) -> Floats:
    """How far each number lies above the least finite one of its group, plus a margin; 0 for -inf."""
    finite = np.isfinite(log_probs)
    least = np.full(int(groups.max(initial=0)) + 1, np.inf)
    np.minimum.at(least, groups[finite], log_probs[finite])
    above = np.where(finite, log_probs, -np.inf) - (np.where(np.isfinite(least), least, 0.0)[groups] - MARGIN)
    return np.maximum(above, 0.0)
