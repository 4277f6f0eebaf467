"""Docids from residual quantisation of a document's embedding; knows vectors, no encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.kmeans import FloatArray, Points, check_vectors, kmeans, nearest
from docid.ragged import IntArray, as_ragged
from docid.strategies.base import DocumentFields, Strategy, Tokenize
from docid.strategies.semantic import table_of_codes
from docid.table import DocidTable

__all__ = ["Residual", "residual_codes"]


@dataclass
class Residual(Strategy):
    """Residual-quantisation docids: each level clusters what the levels before left over.

    Chen et al., "Approximate Nearest Neighbor Search by Residual Vector Quantization", Sensors 2010, section 3;
    as docids in RIPOR (Zeng et al., WWW 2024, section 3.1). A code means the same direction under every prefix,
    unlike a cluster's number in a hierarchy, so what a model learns of it holds for all documents that have it.
    Every docid has `levels` codes; documents whose codes are all equal share a docid.
    """

    name: ClassVar[str] = "residual"
    reads: ClassVar[tuple[str, ...]] = ("embeddings",)
    levels: int = 8
    codes: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if self.levels < 1 or self.codes < 2:
            raise InputError(
                f"levels is {self.levels} and codes {self.codes}; expected at least 1 level and 2 codes."
            )

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        vectors = self.need(fields, "embeddings")
        codes = residual_codes(vectors, self.levels, self.codes, self.seed)
        return table_of_codes(as_ragged(codes), per_level=True)


def residual_codes(vectors: npt.NDArray[Any], levels: int, codes: int, seed: int) -> IntArray:
    """The codes of each row of `vectors` (floats [n, dimensions]): int32 [n, levels].

    Raises:
        InputError: rows hold NaN or infinity.
    """
    check_vectors(vectors)
    found = np.zeros((len(vectors), levels), np.int32)
    left: FloatArray = np.array(vectors, np.float32)
    for level in range(levels if len(left) else 0):
        points = Points(left, np.arange(len(left)))
        centroids = kmeans(points, codes, np.random.default_rng([seed, level]))
        labels, _ = nearest(points, centroids)
        found[:, level] = labels
        left -= centroids[labels]
    return found
