"""k-means: against the obvious form, and on hard input."""

from __future__ import annotations

import numpy as np
import pytest
from floats import FORWARD, assert_close

from docid import InputError
from docid.quantisers.kmeans import BATCH, SAMPLE, Points, check_vectors, kmeans, nearest


def blobs(per_blob: int, centres: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(centres) * per_blob, centres.shape[1]))
    return (np.repeat(centres, per_blob, axis=0) + noise).astype(np.float32)


def everything(vectors: np.ndarray) -> Points:
    return Points(vectors, np.arange(len(vectors)))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_nearest_is_the_nearest() -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    centroids = vectors[:20].copy()
    labels, distances = nearest(everything(vectors), centroids)
    table = ((vectors[:, None, :].astype(np.float64) - centroids) ** 2).sum(axis=2)
    np.testing.assert_array_equal(labels, table.argmin(axis=1))
    assert_close(distances, table.min(axis=1), ulps=FORWARD)


def test_of_equal_centroids_the_first_is_taken() -> None:
    labels, _ = nearest(everything(np.ones((3, 2), np.float32)), np.zeros((4, 2), np.float32))
    assert labels.tolist() == [0, 0, 0]


def test_a_common_offset_changes_no_label() -> None:
    vectors = np.random.default_rng(0).integers(-50, 50, (400, 4)).astype(np.float32)
    labels, _ = nearest(everything(vectors), vectors[:9])
    moved, _ = nearest(everything(vectors + np.float32(2**15)), vectors[:9] + np.float32(2**15))
    np.testing.assert_array_equal(labels, moved)


def test_separate_blobs_are_found() -> None:
    centres = 10 * np.eye(6, dtype=np.float32)
    vectors = blobs(50, centres)
    centroids = kmeans(everything(vectors), 6, rng())
    assert_close(np.sort(centroids, axis=0), np.sort(centres, axis=0), within=0.05)
    labels, _ = nearest(everything(vectors), centroids)
    assert all(len(set(labels[begin : begin + 50].tolist())) == 1 for begin in range(0, 300, 50))


def test_the_error_is_that_of_lloyd_in_plain_numpy() -> None:
    vectors = np.random.default_rng(3).normal(size=(2000, 16)).astype(np.float32)
    _, ours = nearest(everything(vectors), kmeans(everything(vectors), 16, rng()))
    centroids = vectors[:16].astype(np.float64)
    for _ in range(50):
        distances = ((vectors[:, None, :] - centroids) ** 2).sum(axis=2)
        labels = distances.argmin(axis=1)
        centroids = np.stack([vectors[labels == cluster].mean(axis=0) for cluster in range(16)])
    assert ours.mean() < 1.02 * distances.min(axis=1).mean()


def test_large_input_goes_through_samples_and_batches() -> None:
    vectors = blobs((SAMPLE + BATCH) // 4 + 1, 10 * np.eye(4, dtype=np.float32)).astype(np.float16)
    assert len(vectors) > SAMPLE
    _, distances = nearest(everything(vectors), kmeans(everything(vectors), 4, rng()))
    assert distances.mean() < 0.02


@pytest.mark.parametrize(
    ("count", "distinct", "k"), [(1, 1, 5), (10, 1, 3), (10, 2, 3), (10, 3, 3), (3, 3, 9)]
)
def test_there_are_no_more_clusters_than_distinct_points(count: int, distinct: int, k: int) -> None:
    vectors = np.resize(np.eye(distinct, 4, dtype=np.float32), (count, 4))
    centroids = kmeans(everything(vectors), k, rng())
    labels, distances = nearest(everything(vectors), centroids)
    assert len(centroids) == min(distinct, k) == len(np.unique(labels))
    assert distances.max() < 1e-6


def test_every_cluster_has_points() -> None:
    # Two far points and a heap: seeds drawn from the heap leave clusters without points.
    for seed in range(20):
        vectors = np.concatenate([np.zeros((200, 2)), [[100, 0]], [[0, 100]]]).astype(np.float32)
        vectors[:200] += np.random.default_rng(seed).normal(0, 0.1, (200, 2))
        centroids = kmeans(everything(vectors), 8, np.random.default_rng(seed))
        labels, _ = nearest(everything(vectors), centroids)
        assert len(np.unique(labels)) == len(centroids) == 8


def test_only_the_chosen_rows_take_part() -> None:
    vectors = np.array([[0.0], [1.0], [500.0], [0.0], [1.0]], np.float32)
    centroids = kmeans(Points(vectors, np.array([0, 1, 3, 4])), 2, rng())
    assert sorted(centroids.ravel().tolist()) == [0, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e16, 1e300])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_without_a_nearest_centroid_are_named(bad: float, dtype: type) -> None:
    vectors = np.zeros((BATCH + 10, 2), dtype)
    with np.errstate(over="ignore"):
        vectors[[3, BATCH + 4], 1] = bad
    with pytest.raises(InputError, match=rf"embeddings: 2 of {BATCH + 10} rows .*\(rows 3, {BATCH + 4}\)"):
        check_vectors(vectors)


def test_of_many_bad_rows_five_are_named() -> None:
    with pytest.raises(InputError, match=r"9 of 9 rows .* \(rows 0, 1, 2, 3, 4, \.\.\.\)"):
        check_vectors(np.full((9, 2), np.nan))


@pytest.mark.parametrize(
    "vectors", [np.zeros(4), np.zeros((4, 2), np.int64), np.zeros((4, 0)), np.zeros((2, 2, 2))]
)
def test_what_is_no_matrix_of_floats_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected floats"):
        check_vectors(vectors)
