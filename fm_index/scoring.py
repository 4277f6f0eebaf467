"""Passages ranked by the weighted n-grams they hold: SEAL's scoring, natively and for many queries at once.

Knows an index and keys; knows no text, no model and no view. The hot part is in csrc/scorer.hpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_index import _core
from fm_index.arrays import Ints
from fm_index.full_text_index import FMIndex
from fm_index.keys import Floats, Keys
from fm_index.sharded import ShardedFMIndex
from fm_index.weights import ScoringOptions, weights_of

__all__ = [
    "KeyWeights",
    "Keys",
    "Matches",
    "ScoredPassages",
    "ScoringOptions",
    "key_weights",
    "score_passages",
]


@dataclass(frozen=True, eq=False)
class KeyWeights:
    """What the keys of one query are worth.

    Attributes:
        occurrences: int64 [n]; in the corpus, at passages' starts for keys that stand there.
        weights: float64 [n]; 0 for keys that do not occur.
    """

    occurrences: Ints
    weights: Floats


@dataclass(frozen=True, eq=False)
class Matches:
    """The keys that found passages; passage r (the r-th best) has the entries `offsets[r]:offsets[r + 1]`.

    Within a passage in the order in which they were counted: n-grams by weight, then unigrams by weight.

    Attributes:
        offsets: int64 [m + 1].
        keys: int64 [k]; numbers of the query's keys.
        contributions: float64 [k]; weight times coverage factor; a passage's contributions add up to its
            score where `single_key` is 0.
        starts, ends: int64 [k]; the span that was counted, `[start, end)` in the passage's tokens.
    """

    offsets: Ints
    keys: Ints
    contributions: Floats
    starts: Ints
    ends: Ints


@dataclass(frozen=True, eq=False)
class ScoredPassages:
    """One query's passages, best first; equal scores in order of passage number.

    Attributes:
        passages: int64 [m]; document numbers of the index.
        scores: float64 [m], above 0; 0 of passages that no key is in, which only `documents` brings.
        key_weights: occurrences and weights of the query's keys.
        located: rows whose passage was looked up.
        matches: what found each passage, if asked for.
    """

    passages: Ints
    scores: Floats
    key_weights: KeyWeights
    located: int
    matches: Matches | None


def key_weights(
    index: FMIndex | ShardedFMIndex, queries: Sequence[Keys], options: ScoringOptions | None = None
) -> list[KeyWeights]:
    """How often the keys of each query occur, and what they are worth; see `ScoringOptions`."""
    return _prepare(index, queries, options or ScoringOptions()).key_weights()


def score_passages(
    index: FMIndex | ShardedFMIndex,
    queries: Sequence[Keys],
    options: ScoringOptions | None = None,
    *,
    num_return: int = 100,
    threads: int | None = None,
    matches: bool = False,
    documents: npt.NDArray[np.bool_] | None = None,
) -> list[ScoredPassages]:
    """Rank passages by the keys they hold, for each query by itself.

    The passages that hold an n-gram of at most `max_occurrences` are ranked by the sum of those n-grams'
    weights; the best `max_candidates` are scored in full. There, n-grams are taken by descending weight (equal
    ones in the order given), each once, at its first place that no better one covers; each adds its weight
    times the coverage factor of `ScoringOptions.beta`. Then unigrams are taken likewise, at places that no
    n-gram covers. The score is `(1 - single_key)` of that sum, and `single_key` of the best n-gram's weight.

    Keys of weight 0 count for nothing. A key given twice counts once, with its greater weight. Documents
    removed from a sharded index are never returned; counts include them. A query without keys, or whose keys do not
    occur, has no passages.

    Of `documents`, `num_return` are returned where there are so many: behind those that were nominated come others,
    by the same score; of more than `max_candidates` (or `num_return`, if greater), the first.

    Args:
        queries: the keys of each query, which has one result.
        options: `ScoringOptions()` when None.
        num_return, threads: at most so many passages a query; over queries, the index's `threads` when None.
        matches: also return what found each passage.
        documents: bool [num_documents], the only ones that may be returned; counts are of all. None: all.
    """
    _check_numbers(num_return, threads)
    chosen = options or ScoringOptions()
    batch = _prepare(index, queries, chosen)
    found = _core.score_passages(
        [shard._core for shard in _shards(index)],
        _left_out(index, documents),
        batch.arguments(),
        (chosen.beta, chosen.single_key, chosen.overlaps),
        (chosen.max_occurrences, chosen.max_candidates, num_return),
        index.threads if threads is None else threads,
        matches,
        documents is not None,
    )
    return [_result(part, known, matches) for part, known in zip(found, batch.key_weights(), strict=True)]


def _left_out(
    index: FMIndex | ShardedFMIndex, documents: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    """Which documents are not returned; empty: none."""
    removed = index.removed if isinstance(index, ShardedFMIndex) else np.zeros(0, np.bool_)
    if documents is None:
        return removed
    if documents.shape != (index.num_documents,) or documents.dtype != np.bool_:
        raise ValueError(
            f"documents: expected bool [{index.num_documents}], found {documents.dtype} {[*documents.shape]}."
        )
    return ~documents | removed if len(removed) else ~documents


@dataclass(frozen=True, eq=False)
class _Batch:
    """The keys of all queries together, with their rows in each shard."""

    keys: Keys
    bounds: Ints  # [Q + 1]: query q has the keys bounds[q] ... bounds[q + 1]
    lo: Ints  # [S, K]
    hi: Ints
    occurrences: Ints
    weights: Floats

    def key_weights(self) -> list[KeyWeights]:
        cuts = self.bounds[1:-1]
        parts = zip(np.split(self.occurrences, cuts), np.split(self.weights, cuts), strict=True)
        return [KeyWeights(*part) for part in parts] if len(self.bounds) > 1 else []

    def arguments(self) -> tuple[npt.NDArray[Any], ...]:
        keys = self.keys
        where = (self.lo.ravel(), self.hi.ravel(), self.occurrences)
        return keys.tokens, keys.offsets, self.bounds, *where, self.weights, keys.at_start, keys.unigrams


def _check_numbers(num_return: int, threads: int | None) -> None:
    if num_return < 1:
        raise ValueError(f"num_return: expected at least 1, found {num_return}.")
    if threads is not None and not 1 <= threads <= 1024:
        raise ValueError(f"threads: expected 1 to 1024, found {threads}.")


def _shards(index: FMIndex | ShardedFMIndex) -> list[FMIndex]:
    return index.shards if isinstance(index, ShardedFMIndex) else [index]


def _prepare(index: FMIndex | ShardedFMIndex, queries: Sequence[Keys], options: ScoringOptions) -> _Batch:
    keys = Keys.concatenate(queries)
    sizes = np.array([len(query) for query in queries], np.int64)
    bounds = np.cumsum(np.concatenate([np.zeros(1, np.int64), sizes]))
    ranges = np.array([_ranges(shard, keys) for shard in _shards(index)], np.int64)
    lo, hi = np.ascontiguousarray(ranges[:, 0]), np.ascontiguousarray(ranges[:, 1])
    # Counted in all shards, so that a key weighs the same however documents are divided.
    occurrences = (hi - lo).sum(axis=0)
    owners = np.repeat(np.arange(len(queries)), sizes)
    weights = weights_of(keys, occurrences, index.num_tokens, options, owners)
    return _Batch(keys, bounds, lo, hi, occurrences, weights)


def _ranges(shard: FMIndex, keys: Keys) -> tuple[Ints, Ints]:
    """The rows of every key: one step for all that are long enough, as often as the longest needs."""
    lo = np.zeros(len(keys), np.int64)
    hi = np.where(keys.at_start, shard.num_documents, shard.num_rows)
    active, place = np.flatnonzero(hi > lo), 0
    while len(active):
        tokens = keys.tokens[keys.offsets[active] + place]
        lo[active], hi[active] = shard.step(lo[active], hi[active], tokens)
        place += 1
        # Keys that end or occur nowhere leave the batch: later steps are for long keys only.
        active = active[(keys.lengths[active] > place) & (hi[active] > lo[active])]
    return lo, hi


def _result(found: tuple[Any, ...], weights: KeyWeights, with_matches: bool) -> ScoredPassages:
    passages, scores, located, *entries = found
    return ScoredPassages(passages, scores, weights, located, Matches(*entries) if with_matches else None)
