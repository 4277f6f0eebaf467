"""Vector quantisers: residual and product; from vectors to codes and back, and what tells equal codes apart.

Knows vectors, nothing of docids.

Codebooks are float32 [levels, codes, dimensions of a level]. A quantiser is its codebooks: fitting gives one, and
whoever trains codebooks elsewhere (an autoencoder, say) makes one from arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.quantisers.kmeans import BATCH, FloatArray, Points, balance, kmeans, nearest, one_thread
from docid.ragged import IntArray

__all__ = [
    "ProductQuantiser",
    "Quantiser",
    "ResidualQuantiser",
    "next_best",
    "stretched",
    "with_ordinals",
]

# What an error along a later vector weighs beside one across it, and how many vectors say what codes keep. With 2, new
# passages of BoolQ are found as well as by their own vectors, and old ones too (docs/log.md).
ALONG, KEPT_SAMPLE = 2.0, 4096
# Iterations on the sample and passes over all vectors of a level: later levels quantise what is left anyway. On 11,044
# vectors 20 and 2 give an error of .0765 in 48 seconds, these .0768 in 24.
SHORT = (6, 1)
SHARED_ROUNDS = 4
SHARED_SAMPLE = 65536


@dataclass(frozen=True)
class Quantiser(ABC):
    """Codebooks, and a bias for each code that is added to its squared distance (zero unless balanced).

    Attributes:
        codebooks: float32 [levels, codes, d].
        biases: float32 [levels, codes].
    """

    codebooks: FloatArray
    biases: FloatArray

    @property
    def levels(self) -> int:
        return len(self.codebooks)

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Dimensions of the vectors."""

    @property
    def code_vectors(self) -> FloatArray:
        """What each code stands for, float32 [levels, codes, d]."""
        return self.codebooks

    def inputs(self, vectors: npt.NDArray[Any]) -> FloatArray:
        """What the first level quantises of vectors, floats [n, dimensions]: float32 [n, dimensions]."""
        return np.asarray(vectors, np.float32)

    @abstractmethod
    def remainder(self, rest: FloatArray, codes: IntArray, level: int) -> FloatArray:
        """What is left for later levels of `rest`, which was left for this one, given its codes (int [n]).

        A level quantises the first dimensions, as many as its codes have, of what is left for it.
        """

    @abstractmethod
    def decode(self, codes: IntArray) -> FloatArray:
        """The vectors that codes (int [n, levels]) stand for: float32 [n, dimensions]."""

    def encode(self, vectors: npt.NDArray[Any]) -> IntArray:
        """The nearest code of each level, greedily: int32 [n, levels]."""
        codes = np.empty((len(vectors), self.levels), np.int32)
        with one_thread():
            for begin in range(0, len(vectors), BATCH):
                rest = self.inputs(vectors[begin : begin + BATCH])
                part = codes[begin : begin + BATCH]
                for level in range(self.levels):
                    part[:, level] = self.distances(rest, level).argmin(axis=1)
                    rest = self.remainder(rest, part[:, level], level)
        return codes

    def left_over(self, vectors: FloatArray, codes: IntArray) -> FloatArray:
        """What is left of `inputs` for the next level, given the codes of the levels before, int [n, levels before]."""
        rest = vectors
        for level in range(codes.shape[1]):
            rest = self.remainder(rest, codes[:, level], level)
        return rest

    def distances(self, rest: FloatArray, level: int) -> FloatArray:
        """Squared distance (plus bias) of what is left for `level` to each of its codes: float32 [n, codes]."""
        codebook = self.codebooks[level]
        points = rest[:, : codebook.shape[1]]
        middle = codebook.mean(axis=0)
        points, around = points - middle, codebook - middle
        # Around the codebook's mean, so that a common offset costs no digits.
        squares = np.einsum("ij,ij->i", points, points)[:, None] + np.einsum("ij,ij->i", around, around)
        distances: FloatArray = squares - 2 * (points @ around.T) + self.biases[level]
        return distances

    def error(self, vectors: npt.NDArray[Any], codes: IntArray) -> float:
        """Mean squared distance of the vectors to what their codes stand for."""
        total = 0.0
        for begin in range(0, len(vectors), BATCH):
            part = slice(begin, begin + BATCH)
            difference = np.asarray(vectors[part], np.float32) - self.decode(codes[part])
            total += float(np.square(difference, dtype=np.float64).sum())
        return total / max(len(vectors), 1)

    def alternatives(self, vector: FloatArray) -> Iterator[tuple[int, ...]]:
        """All codes of one vector (float32 [dimensions]), each level nearest first, the last level fastest."""
        yield from self._alternatives(self.inputs(vector.reshape(1, -1)), ())

    def _alternatives(self, rest: FloatArray, codes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if (level := len(codes)) == self.levels:
            yield codes
            return
        for code in np.argsort(self.distances(rest, level)[0], kind="stable"):
            yield from self._alternatives(self.remainder(rest, code[None], level), (*codes, int(code)))


class ResidualQuantiser(Quantiser):
    """Each level quantises what the levels before left over (RQ; as docids: TIGER, Rajput et al. 2023)."""

    @property
    def dimensions(self) -> int:
        return int(self.codebooks.shape[2])

    def remainder(self, rest: FloatArray, codes: IntArray, level: int) -> FloatArray:
        left: FloatArray = rest - self.codebooks[level][codes]
        return left

    def decode(self, codes: IntArray) -> FloatArray:
        total: FloatArray = sum(
            (vectors[codes[:, level]] for level, vectors in enumerate(self.code_vectors)),
            np.zeros((len(codes), self.dimensions), np.float32),
        )
        return total

    def kept(self, vectors: npt.NDArray[Any]) -> float:
        """How long what the codes stand for is along the vectors themselves (up to `KEPT_SAMPLE` of them), in their lengths."""
        rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), KEPT_SAMPLE)).astype(np.int64))
        sample = np.asarray(vectors[rows], np.float32)
        along = np.einsum("ij,ij->i", sample, self.decode(self.encode(sample)))
        squares = np.einsum("ij,ij->i", sample, sample)
        return float(along.sum() / max(float(squares.sum()), 1e-30))

    def encode_later(self, vectors: npt.NDArray[Any], kept: float) -> IntArray:
        """Codes of vectors that the codebooks were not learned from: int32 [n, levels].

        The nearest codes keep less of such a vector than of those that were learned from, and every inner product
        with it comes out smaller: it would be outranked by old ones that match no better. So codes are chosen by
        squared distance and by how far what they stand for is, along the vector, from the share `kept` of it, that is
        what they keep of the old ones. Errors along a vector and across it weigh unlike: Guo et al., "Accelerating
        Large-Scale Inference with Anisotropic Vector Quantization", ICML 2020, section 3.
        """
        codes = np.empty((len(vectors), self.levels), np.int32)
        with one_thread():
            for begin in range(0, len(vectors), BATCH):
                batch = np.asarray(vectors[begin : begin + BATCH], np.float32)
                self._encode_later(batch, kept, codes[begin : begin + BATCH])
        return codes

    def _encode_later(self, vectors: FloatArray, kept: float, codes: IntArray) -> None:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
        # A vector of zeros has no direction: every code is as far along it.
        units = vectors / np.maximum(lengths, 1e-30)
        rest, missing = self.inputs(vectors), kept * lengths
        for level, meant in enumerate(self.code_vectors):
            along = units @ meant.T
            distances = self.distances(rest, level) + ALONG * np.square(missing - along)
            codes[:, level] = distances.argmin(axis=1)
            rest = self.remainder(rest, codes[:, level], level)
            missing = missing - np.take_along_axis(along, codes[:, level : level + 1], axis=1)

    @classmethod
    def fit(
        cls,
        vectors: npt.NDArray[Any],
        levels: int,
        codes: int,
        seed: int,
        *,
        balanced: bool = False,
        metric: FloatArray | None = None,
    ) -> ResidualQuantiser:
        """k-means on the residuals of each level.

        Args:
            balanced: give codes biases that even out how often they are used.
            metric: float32 [d, d], what vectors are multiplied with before; None: nothing.
        """
        dimensions = vectors.shape[1]
        fitted = ResidualQuantiser(
            np.empty((0, codes, dimensions), np.float32), np.empty((0, codes), np.float32)
        )
        chosen = np.empty((len(vectors), 0), np.int32)
        for level in range(levels):
            # Computed a batch at a time from the codes so far: residuals of all documents would not fit into memory.
            points = _Inputs(vectors, np.arange(len(vectors)), fitted, chosen, metric)
            # By level: fewer levels give the first levels of more.
            rng = np.random.default_rng([seed, level])
            codebook = _padded(kmeans(points, codes, rng, *SHORT), codes)
            bias = balance(points, codebook, rng) if balanced else np.zeros(codes, np.float32)
            fitted = ResidualQuantiser(
                np.concatenate([fitted.codebooks, codebook[None]]),
                np.concatenate([fitted.biases, bias[None]]),
            )
            labels, _ = nearest(points, codebook, bias)
            chosen = np.concatenate([chosen, labels[:, None]], axis=1)
        return fitted

    @classmethod
    def fit_shared(cls, vectors: npt.NDArray[Any], levels: int, codes: int, seed: int) -> ResidualQuantiser:
        """One codebook for all levels: k-means over the inputs of all levels, under the codebook before."""
        rng = np.random.default_rng(seed)
        rows = np.arange(len(vectors))
        if len(rows) > SHARED_SAMPLE:
            rows = np.sort(rng.choice(len(rows), SHARED_SAMPLE, replace=False))
        sample = np.asarray(vectors[rows], np.float32)
        pool = sample
        for _ in range(SHARED_ROUNDS):
            codebook = _padded(kmeans(Points(pool, np.arange(len(pool))), codes, rng), codes)
            fitted = cls(np.repeat(codebook[None], levels, axis=0), np.zeros((levels, codes), np.float32))
            chosen = fitted.encode(sample)
            pool = np.concatenate([fitted.left_over(sample, chosen[:, :level]) for level in range(levels)])
        return fitted


class ProductQuantiser(Quantiser):
    """Each level quantises its own stretch of the dimensions (PQ, Jégou et al. 2011)."""

    @property
    def dimensions(self) -> int:
        return self.levels * int(self.codebooks.shape[2])

    def remainder(self, rest: FloatArray, codes: IntArray, level: int) -> FloatArray:
        return rest[:, self.codebooks.shape[2] :]

    def decode(self, codes: IntArray) -> FloatArray:
        parts = [self.codebooks[level][codes[:, level]] for level in range(self.levels)]
        return np.concatenate(parts, axis=1)

    @classmethod
    def fit(cls, vectors: npt.NDArray[Any], levels: int, codes: int, seed: int) -> ProductQuantiser:
        """k-means on each stretch of `dimensions / levels` dimensions.

        Raises:
            InputError: the levels do not divide the dimensions.
        """
        dimensions = vectors.shape[1]
        if dimensions % levels:
            raise InputError(
                f"levels is {levels} and the embeddings have {dimensions} dimensions; it must divide them."
            )
        width = dimensions // levels
        codebooks = np.empty((levels, codes, width), np.float32)
        for level in range(levels):
            stretch = vectors[:, level * width : (level + 1) * width]
            found = kmeans(
                Points(stretch, np.arange(len(vectors))), codes, np.random.default_rng([seed, level])
            )
            codebooks[level] = _padded(found, codes)
        return cls(codebooks, np.zeros((levels, codes), np.float32))


@dataclass(frozen=True)
class _Inputs(Points):
    """The inputs of the next level, made when they are read."""

    quantiser: Quantiser
    codes: IntArray
    metric: FloatArray | None = None

    def take(self, places: IntArray | slice) -> FloatArray:
        points, rows = super().take(places), self.rows[places]
        if self.metric is not None:
            points = stretched(points, self.metric)
        return self.quantiser.left_over(points, self.codes[rows])


def stretched(vectors: FloatArray, metric: FloatArray) -> FloatArray:
    """Vectors (float32 [..., d]) multiplied with a metric (float32 [d, d]), rounded the same way everywhere."""
    with one_thread():
        product: FloatArray = vectors @ metric
    return product


def _padded(centroids: FloatArray, codes: int) -> FloatArray:
    """Where there are fewer distinct points than codes, the codes that are left repeat the last centroid."""
    return np.concatenate([centroids, np.repeat(centroids[-1:], codes - len(centroids), axis=0)])


def with_ordinals(codes: IntArray, before: IntArray) -> IntArray:
    """Codes (int [n, levels]) with one more level, which tells those apart that are equal: 0, 1, ... behind `before`.

    `before` (int [m, levels + 1], or [0, 0]) are the codes given so far, each with its ordinal.
    """
    levels = codes.shape[1]
    earlier = before[:, :levels] if len(before) else codes[:0]
    _, group = np.unique(np.concatenate([earlier, codes]), axis=0, return_inverse=True)
    given, group = group[: len(earlier)], group[len(earlier) :]
    # Behind the highest, and not as many as there are: documents may have been taken out.
    free = np.zeros(len(earlier) + len(codes), np.int32)
    if len(before):
        np.maximum.at(free, given, before[:, levels].astype(np.int32) + 1)
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(group[order])) + 1]).astype(np.int64)[: len(order)]
    sizes = np.diff(np.append(starts, len(order)))
    ordinals = free[group]
    ordinals[order] += (np.arange(len(order)) - np.repeat(starts, sizes)).astype(np.int32)
    return np.concatenate([codes, ordinals[:, None]], axis=1)


def next_best(quantiser: Quantiser, vectors: npt.NDArray[Any], codes: IntArray, before: IntArray) -> IntArray:
    """Codes in which every row is unique: the first row keeps its own, later ones get the nearest that are free.

    Raises:
        InputError: there are more documents than codes.
    """
    room = quantiser.codebooks.shape[1] ** quantiser.levels
    if len(codes) + len(before) > room:
        raise InputError(
            f"{len(codes) + len(before)} documents and only {room} docids of {quantiser.levels} levels; give more codes "
            "or levels."
        )
    taken = set(map(tuple, before.tolist()))
    unique = codes.copy()
    later = []
    for row, code in enumerate(map(tuple, codes.tolist())):
        if code in taken:
            later.append(row)
        taken.add(code)
    for row in later:
        vector = np.asarray(vectors[row], np.float32)
        free = next(code for code in quantiser.alternatives(vector) if code not in taken)
        taken.add(free)
        unique[row] = free
    return unique
