"""A hierarchy of clusters: grown by k-means, and the way down it for any vector; knows nothing of docids."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from docid.quantisers.kmeans import FloatArray, Points, kmeans, nearest
from docid.ragged import IntArray, are, is_partition

__all__ = ["ClusterTree", "fault_in", "grow", "route"]


class ClusterTree(NamedTuple):
    """Groups of more than `leaf_size` vectors and the clusters that each was split into; group 0 is the whole.

    Attributes:
        offsets: int64 [groups + 1]; group g has the clusters `offsets[g]:offsets[g + 1]`.
        next_groups: int64 [clusters]; the group that a cluster is split as, or -1 for a leaf.
        even: bool [groups]; split into parts of equal size and not by distance.
        centroids: float32 [clusters, dimensions]; zero in even groups.
    """

    offsets: IntArray
    next_groups: IntArray
    even: npt.NDArray[np.bool_]
    centroids: FloatArray


class _Pending(NamedTuple):
    rows: IntArray
    path: tuple[int, ...]
    cluster: int


def grow(vectors: npt.NDArray[Any], branching: int, leaf_size: int, seed: int) -> ClusterTree:
    """Split every group of more than `leaf_size` rows into at most `branching` clusters, down to the leaves.

    Clusters are smaller than their group whatever the vectors are: a group that k-means cannot split, or that lies
    deeper than even clusters would need, is divided evenly in row order.
    """
    # k-means may split off one outlier at a time: docids would grow as long as there are documents.
    most_levels = 2 * math.ceil(math.log(max(len(vectors) / leaf_size, 1), branching)) + 2
    offsets, next_groups, even, centroids = [0], list[int](), list[bool](), list[FloatArray]()
    pending = [_Pending(np.arange(len(vectors)), (), -1)] if len(vectors) > leaf_size else []
    # The list grows while it is read: breadth first, in the order in which groups are numbered.
    for group in pending:
        if group.cluster >= 0:
            next_groups[group.cluster] = len(even)
        points = Points(vectors, group.rows)
        # Its own draws by its path: a group is split alike whatever happens beside it.
        found = _clusters(points, branching, np.random.default_rng([seed, *group.path]))
        even.append(found is None or len(group.path) > most_levels)
        if found is None or even[-1]:
            found = np.zeros((min(branching, len(points)), vectors.shape[1]), np.float32)
        centroids.append(found)
        labels = _labels(points, found, even[-1])
        for number in range(len(found)):
            rows = group.rows[labels == number]
            if len(rows) > leaf_size:
                pending.append(_Pending(rows, (*group.path, number), len(next_groups)))
            next_groups.append(-1)
        offsets.append(len(next_groups))
    stacked = np.concatenate(centroids) if centroids else np.zeros((0, vectors.shape[1]), np.float32)
    return ClusterTree(np.array(offsets), np.array(next_groups, np.int64), np.array(even, bool), stacked)


def route(tree: ClusterTree, vectors: npt.NDArray[Any]) -> Iterator[tuple[tuple[int, ...], IntArray]]:
    """The leaves that the rows of `vectors` fall into: the clusters on the way down, and the rows, ascending."""
    stack = [_Pending(np.arange(len(vectors)), (), 0 if len(tree.even) else -1)] if len(vectors) else []
    while stack:
        rows, path, group = stack.pop()
        if group < 0:
            yield path, rows
            continue
        clusters = slice(tree.offsets[group], tree.offsets[group + 1])
        labels = _labels(Points(vectors, rows), tree.centroids[clusters], bool(tree.even[group]))
        for number, following in enumerate(tree.next_groups[clusters].tolist()):
            inside = rows[labels == number]
            if len(inside):
                stack.append(_Pending(inside, (*path, number), following))


def fault_in(tree: ClusterTree, branching: int) -> str | None:
    """Why stored arrays are no hierarchy; None where they are: every way down ends, and every group is reached once."""
    sound = (
        are(tree.offsets, np.int64, 1) and are(tree.next_groups, np.int64, 1) and are(tree.even, np.bool_, 1)
    )
    if not sound or not are(tree.centroids, np.float32, 2):
        return "its hierarchy has arrays of the wrong type"
    groups, clusters = len(tree.even), len(tree.next_groups)
    if len(tree.offsets) != groups + 1 or not is_partition(tree.offsets, clusters):
        return "the offsets do not divide the clusters"
    sizes = np.diff(tree.offsets)
    if groups and (int(sizes.min()) < 2 or int(sizes.max()) > branching):
        return f"a group does not have 2 to {branching} clusters"
    # Groups are numbered in the order in which the clusters that they are split from come: later than their own.
    split = np.flatnonzero(tree.next_groups != -1)
    owners = np.repeat(np.arange(groups), sizes)[split]
    following = tree.next_groups[split]
    if not np.array_equal(following, np.arange(1, max(groups, 1))) or bool((following <= owners).any()):
        return "the groups do not follow one another"
    if len(tree.centroids) != clusters or bool(tree.centroids[np.repeat(tree.even, sizes)].any()):
        return "the centroids are not those of the clusters"
    return None


def _clusters(points: Points, branching: int, rng: np.random.Generator) -> FloatArray | None:
    """Centroids that are all in use and that split the points; None where there are none."""
    centroids = kmeans(points, branching, rng)
    while True:
        sizes = np.bincount(nearest(points, centroids)[0], minlength=len(centroids))
        if int(sizes.max()) == len(points):
            return None
        if sizes.all():
            return centroids
        # Rounding may leave a centroid without its only point.
        centroids = centroids[sizes > 0]


def _labels(points: Points, centroids: FloatArray, even: bool) -> IntArray:
    if even:
        return np.arange(len(points)) * len(centroids) // len(points)
    return nearest(points, centroids)[0]
