"""Residual codes whose vectors are learned together, chosen by what errors do to scores.

Knows vectors; knows no docids and no queries.

A query's score errs by its inner product with what codes leave out of a document, so that what is left out costs most
along the directions in which queries differ. These are about the ones in which documents do: codes are chosen between
vectors that were stretched there. And the vectors that greedy codes were chosen by are not the ones that add up best:
each level's was learned as if the later ones did not come.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from docid.quantisers.kmeans import BATCH, FloatArray, one_thread
from docid.quantisers.quantise import ResidualQuantiser, stretched
from docid.ragged import IntArray

__all__ = ["JointQuantiser", "score_metric"]

# What every direction counts, beside its share of the documents' variance (1 in the mean): queries ask for what few
# documents differ in as well.
FLOOR = 0.3
# Documents that the metric and the vectors are learned from, at most: 400 MB of what is left over of 384 dimensions.
SAMPLE = 1 << 18
# Of 12,271 vectors in 32 codes five rounds take two fifths of the error away, and thirty hardly more.
ROUNDS = 5


@dataclass(frozen=True)
class JointQuantiser(ResidualQuantiser):
    """Codes chosen level by level under a metric; a document is the sum of vectors that were learned together.

    The sum of one vector a level is an additive quantisation (Babenko and Lempitsky, CVPR 2014); its vectors are the
    least squares of all levels at once (section 3.2 there), approached from the codebooks a level at a time.

    Attributes:
        codebooks: float32 [levels, codes, d], of vectors under the metric: what codes are chosen by.
        metric: float32 [d, d], what vectors are multiplied with before codes are chosen.
        vectors: float32 [levels, codes, d], what codes stand for.
    """

    metric: FloatArray
    vectors: FloatArray

    @property
    def code_vectors(self) -> FloatArray:
        return self.vectors

    def inputs(self, vectors: npt.NDArray[Any]) -> FloatArray:
        return stretched(np.asarray(vectors, np.float32), self.metric)

    @classmethod
    def learn(
        cls, vectors: npt.NDArray[Any], levels: int, codes: int, seed: int, *, balanced: bool = False
    ) -> JointQuantiser:
        """The metric of the vectors (floats [n, d], n at least 1), codebooks under it, and the vectors of codes."""
        rows = _sample(len(vectors), seed)
        metric = score_metric(vectors, rows)
        plain = ResidualQuantiser.fit(vectors, levels, codes, seed, balanced=balanced, metric=metric)
        back = np.linalg.inv(metric.astype(np.float64)).astype(np.float32)
        fitted = cls(plain.codebooks, plain.biases, metric, stretched(plain.codebooks, back))
        return replace(fitted, vectors=_learned(fitted, vectors, rows))


def score_metric(vectors: npt.NDArray[Any], rows: IntArray) -> FloatArray:
    """The symmetric matrix by which errors of the vectors are weighed as a query's scores suffer: float32 [d, d].

    Its square is the covariance of these rows plus `FLOOR` of the mean variance for every direction, and has mean 1 on
    its diagonal. Vectors that are all alike have the identity.
    """
    with one_thread():
        count, total = max(len(rows), 1), np.zeros(vectors.shape[1])
        for begin in range(0, len(rows), BATCH):
            total += np.asarray(vectors[rows[begin : begin + BATCH]], np.float64).sum(0)
        products = np.zeros((vectors.shape[1],) * 2)
        for begin in range(0, len(rows), BATCH):
            around = np.asarray(vectors[rows[begin : begin + BATCH]], np.float64) - total / count
            products += around.T @ around
        variances, directions = np.linalg.eigh(products / count)
        variances = np.maximum(variances, 0)
        mean = float(variances.mean())
        if mean <= np.finfo(np.float32).tiny:
            return np.eye(vectors.shape[1], dtype=np.float32)
        lengths = np.sqrt((variances / mean + FLOOR) / (1 + FLOOR))
        metric: FloatArray = ((directions * lengths) @ directions.T).astype(np.float32)
    return metric


def _sample(count: int, seed: int) -> IntArray:
    """Rows to learn from, ascending."""
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, SAMPLE]).choice(count, SAMPLE, replace=False))


def _learned(fitted: JointQuantiser, vectors: npt.NDArray[Any], rows: IntArray) -> FloatArray:
    """The vectors of codes after `ROUNDS`: in each, those of every level move to the mean of what the others leave."""
    found, rest = fitted.vectors.copy(), np.asarray(vectors[rows], np.float32)
    codes = fitted.encode(rest)
    for begin in range(0, len(rest), BATCH):
        rest[begin : begin + BATCH] -= fitted.decode(codes[begin : begin + BATCH])
    for _ in range(ROUNDS):
        for level, own in enumerate(codes.T):
            moved = _means(rest, own, found.shape[1])
            found[level] += moved
            for begin in range(0, len(rest), BATCH):
                rest[begin : begin + BATCH] -= moved[own[begin : begin + BATCH]]
    return found


def _means(rest: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """The mean of the rows of each code, float32 [count, d]; zeros where no row has one."""
    sums = np.zeros((count, rest.shape[1]))
    for begin in range(0, len(rest), BATCH):
        own = codes[begin : begin + BATCH]
        members = (np.ones(len(own), np.float32), own, np.arange(len(own) + 1))
        sums += csc_array(members, (count, len(own))) @ rest[begin : begin + BATCH]
    means: FloatArray = (sums / np.maximum(np.bincount(codes, minlength=count), 1)[:, None]).astype(
        np.float32
    )
    return means
