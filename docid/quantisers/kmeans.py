"""k-means over rows of a matrix that need not fit into memory; knows vectors, and nothing of docids.

Lloyd's algorithm on a sample, then passes over all rows in mini-batches. Seeds are k-means++'s (Arthur and
Vassilvitskii 2007), drawn in rounds (Bahmani et al., "Scalable K-Means++", VLDB 2012, section 3.3). Products run on
one BLAS thread: a different number of threads would round differently, and the same seed would give other clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it ships no types

from docid.errors import InputError
from docid.ragged import IntArray

__all__ = ["FloatArray", "Points", "balance", "check_vectors", "kmeans", "nearest", "one_thread"]

FloatArray: TypeAlias = npt.NDArray[np.float32]

BATCH = 8192
SAMPLE = 32768
SAMPLE_PER_CLUSTER = 256
ITERATIONS = 20
PASSES = 2
TOLERANCE = 2e-3
SEED_ROUNDS = 16
ROUNDING = 1e-6
BALANCE_ROUNDS = 60
BALANCE_STEP = 0.02
LARGEST = 1e15
NAMED_ROWS = 5


@dataclass(frozen=True)
class Points:
    """Rows of a matrix, read as float32 a batch at a time.

    Attributes:
        vectors: floats [n, dimensions], any float dtype; may be a memory map.
        rows: int64 [m], the rows that take part.
    """

    vectors: npt.NDArray[Any]
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: IntArray | slice) -> FloatArray:
        """The chosen points: float32 [chosen, dimensions]."""
        return np.asarray(self.vectors[self.rows[places]], np.float32)

    def batches(self) -> Iterator[tuple[slice, FloatArray]]:
        """All points in order, at most `BATCH` at a time."""
        for begin in range(0, len(self), BATCH):
            part = slice(begin, begin + BATCH)
            yield part, self.take(part)


def check_vectors(
    vectors: npt.NDArray[Any], name: str = "embeddings", *, dimensions: int | None = None
) -> None:
    """Refuse what has no nearest centroid.

    Raises:
        InputError: not a matrix of floats, or rows hold NaN, infinity or numbers beyond 1e15; it names them.
    """
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] == 0:
        raise InputError(
            f"{name}: found {vectors.dtype} of shape {vectors.shape}, expected floats [rows, dimensions]."
        )
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise InputError(
            f"{name}: found {vectors.shape[1]} dimensions, expected the {dimensions} that the strategy was fitted on; "
            "embed the documents with the same encoder."
        )
    bad: list[int] = []
    for begin in range(0, len(vectors), BATCH):
        with np.errstate(over="ignore"):
            batch = np.asarray(vectors[begin : begin + BATCH], np.float32)
        # The comparison is false for NaN as well.
        usable = (np.abs(batch) <= LARGEST).all(axis=1)
        bad.extend((begin + np.flatnonzero(~usable)).tolist())
    if bad:
        shown = ", ".join(map(str, bad[:NAMED_ROWS])) + (", ..." if len(bad) > NAMED_ROWS else "")
        raise InputError(
            f"{name}: {len(bad)} of {len(vectors)} rows hold NaN, infinity or numbers beyond {LARGEST:g} (rows "
            f"{shown}); embed these documents again or leave them out."
        )


def kmeans(
    points: Points, k: int, rng: np.random.Generator, iterations: int = ITERATIONS, passes: int = PASSES
) -> FloatArray:
    """At most `k` centroids, float32 [clusters, dimensions]; fewer where there are fewer distinct points.

    Each of them is the nearest one of at least one point. Moved at most `iterations` times on a sample, and `passes`
    times on all points where these are more.
    """
    sample = _sample(points, k, rng)
    with one_thread():
        # Drawn and moved on a sample in memory; only the last passes read all vectors.
        seeds = _surroundings(sample.vectors, _seeds(sample.vectors, k, rng))
        centroids = _lloyd(sample, seeds, iterations)
        if len(sample) < len(points):
            centroids = _lloyd(points, centroids, passes)
    return centroids


def _sample(points: Points, k: int, rng: np.random.Generator) -> Points:
    """Enough points for `k` clusters, in memory; all of them where they are few."""
    size = min(len(points), max(SAMPLE, SAMPLE_PER_CLUSTER * k))
    chosen = (
        np.arange(len(points))
        if size == len(points)
        else np.sort(rng.choice(len(points), size, replace=False))
    )
    return Points(points.take(chosen), np.arange(size))


def balance(points: Points, centroids: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Biases (float32 [clusters]) on squared distances under which clusters have about equally many points.

    They are the duals of a transport problem with equal shares, found on a sample by steps that grow while a
    cluster stays too large or too small and shrink when it changes sides (Riedmiller and Braun 1993); the best found.
    """
    sample = _sample(points, len(centroids), rng)
    biases = best = np.zeros(len(centroids), np.float32)
    _, distances = nearest(sample, centroids)
    steps = np.full(len(centroids), BALANCE_STEP * float(distances.mean()), np.float32)
    side, fewest = np.zeros(len(centroids)), np.inf
    for _ in range(BALANCE_ROUNDS):
        counts = np.bincount(nearest(sample, centroids, biases)[0], minlength=len(centroids))
        # The sum of squares is least where all are equal, and does not depend on which cluster is large.
        spread = float(np.square(counts, dtype=np.float64).sum())
        if spread < fewest:
            best, fewest = biases, spread
        turned = np.sign(counts - len(sample) / len(centroids))
        steps *= np.where(turned == side, 1.2, 0.5).astype(np.float32)
        biases, side = biases + (steps * turned).astype(np.float32), turned
    return best


def nearest(
    points: Points, centroids: FloatArray, biases: FloatArray | None = None
) -> tuple[IntArray, FloatArray]:
    """The nearest centroid of each point (int32 [n]; the first of equals) and its squared distance (float32).

    `biases` (float32 [clusters]) are added to squared distances in the choice.
    """
    labels, distances = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    with one_thread():
        for part, batch in points.batches():
            labels[part], distances[part] = _nearest(batch, centroids, biases)
    return labels, distances


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """While it is open, matrix products run on one thread and so round the same way everywhere."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


def _nearest(
    batch: FloatArray, centroids: FloatArray, biases: FloatArray | None
) -> tuple[IntArray, FloatArray]:
    # Around their own mean, so that a common offset of all vectors costs no digits.
    middle = centroids.mean(axis=0)
    around = centroids - middle
    scores = (batch - middle) @ around.T
    squares = np.einsum("ij,ij->i", around, around)
    # Half of |c|² - 2xc + |x|², without |x|², which is the same for every centroid; signs turned.
    scores -= 0.5 * (squares if biases is None else squares + biases)
    labels = scores.argmax(axis=1).astype(np.int32)
    difference = batch - centroids[labels]
    return labels, np.einsum("ij,ij->i", difference, difference)


def _seeds(sample: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    """k-means++: the next seeds are points, drawn in proportion to their squared distance from the seeds so far.

    Up to `SEED_ROUNDS` seeds are drawn one by one, more of them in so many rounds.
    """
    squares = np.einsum("ij,ij->i", sample, sample)
    seeds = sample[rng.integers(len(sample), size=1)]
    distances = np.full(len(sample), np.inf, np.float32)
    newest = seeds
    while len(seeds) < min(k, len(sample)):
        _lower(distances, sample, squares, newest)
        mass = np.cumsum(distances, dtype=np.float64)
        # All points are seeds, or equal to one: more clusters than distinct points cannot be.
        if not mass[-1]:
            break
        count = min(-(-k // SEED_ROUNDS), k - len(seeds))
        drawn = np.unique(np.searchsorted(mass, rng.random(count) * mass[-1], side="right"))
        # Rounding may draw the whole mass, which lies behind the last point.
        newest = sample[np.minimum(drawn, len(sample) - 1)]
        seeds = np.concatenate([seeds, newest])
    return seeds


def _surroundings(sample: FloatArray, seeds: FloatArray) -> FloatArray:
    """The mean of the points nearest to each seed, as many as an even cluster has.

    Points themselves are poor centroids where there are many dimensions and little structure, as in residuals: they
    are far from all others, and the one of least length attracts nearly every point.
    """
    size = len(sample) // len(seeds)
    squares = np.einsum("ij,ij->i", sample, sample)
    means = np.empty_like(seeds)
    for begin in range(0, len(seeds), SEED_ROUNDS):
        part = slice(begin, begin + SEED_ROUNDS)
        distances = squares - 2 * (seeds[part] @ sample.T)
        around = np.argpartition(distances, size - 1, axis=1)[:, :size]
        means[part] = sample[around].mean(axis=1)
    return means


def _lower(distances: FloatArray, sample: FloatArray, squares: FloatArray, seeds: FloatArray) -> None:
    """Take the new seeds' squared distances into account, in place; what is within rounding of 0 becomes 0."""
    for begin in range(0, len(sample), BATCH):
        part = slice(begin, begin + BATCH)
        products = sample[part] @ seeds.T
        lengths = np.einsum("ij,ij->i", seeds, seeds)
        found = squares[part, None] - 2 * products + lengths
        found[found <= ROUNDING * (squares[part, None] + lengths)] = 0
        np.minimum(distances[part], found.min(axis=1), out=distances[part])


def _lloyd(points: Points, centroids: FloatArray, iterations: int) -> FloatArray:
    """Move each centroid to the mean of its points until the error settles; leave out those without points."""
    error = np.inf
    for _ in range(iterations):
        sums, counts, distances = _accumulate(points, centroids)
        centroids = _means(points, centroids, sums, counts, distances)
        total = float(distances.sum(dtype=np.float64))
        # Not while a centroid has no points: it moves elsewhere, and the error may fall again.
        if counts.all() and total >= (1 - TOLERANCE) * error:
            break
        error = total
    _, counts, _ = _accumulate(points, centroids)
    return centroids[counts > 0]


def _accumulate(
    points: Points, centroids: FloatArray
) -> tuple[npt.NDArray[np.float64], IntArray, FloatArray]:
    """The sum and the number of each centroid's points, and each point's squared distance."""
    # In float64: a cluster may hold millions of points.
    sums = np.zeros(centroids.shape, np.float64)
    counts = np.zeros(len(centroids), np.int64)
    distances = np.empty(len(points), np.float32)
    for part, batch in points.batches():
        labels, distances[part] = _nearest(batch, centroids, None)
        # A sparse product adds up in one order, which np.add.at does too, many times slower.
        members = (np.ones(len(batch), np.float32), labels, np.arange(len(batch) + 1))
        sums += csc_array(members, (len(centroids), len(batch))) @ batch
        counts += np.bincount(labels, minlength=len(centroids))
    return sums, counts, distances


def _means(
    points: Points,
    centroids: FloatArray,
    sums: npt.NDArray[np.float64],
    counts: IntArray,
    distances: FloatArray,
) -> FloatArray:
    """The new centroids; one without points moves to a point that is far from its own centroid."""
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids).astype(np.float32)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        far = np.argsort(-distances, kind="stable")[: len(empty)]
        # A point that is a centroid already would make two of one.
        far = far[distances[far] > 0]
        means[empty[: len(far)]] = points.take(far)
    return means
