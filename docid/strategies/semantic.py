"""Docids from the hierarchy of clusters that a document's embedding falls into; knows vectors, no encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from docid.errors import InputError
from docid.kmeans import Points, check_vectors, kmeans, nearest
from docid.ragged import IntArray, Ragged
from docid.strategies.base import DocumentFields, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["Semantic", "hierarchical_codes"]


@dataclass
class Semantic(Strategy):
    """Hierarchical k-means docids (DSI, Tay et al. 2022, section 3.2, algorithm 1).

    A group of more than `leaf_size` documents is split into at most `branching` clusters, and each document
    gets its cluster's number as its next code; a group of at most `leaf_size` is not split, and its documents
    get ordinals as their last code. Codes of level l are the new tokens `<cl_0>`, `<cl_1>`, ... (levels count
    from 1), or `<c_0>`, ... in all levels with `per_level=False`. The string is the codes joined by `-`.
    """

    name: ClassVar[str] = "semantic"
    reads: ClassVar[tuple[str, ...]] = ("embeddings",)
    branching: int = 16
    leaf_size: int = 16
    seed: int = 0
    per_level: bool = True

    def __post_init__(self) -> None:
        if self.branching < 2 or self.leaf_size < 1:
            raise InputError(
                f"branching is {self.branching} and leaf_size {self.leaf_size}; expected at least 2 clusters a group "
                "and 1 document a leaf."
            )

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        vectors = self.need(fields, "embeddings")
        codes = hierarchical_codes(vectors, self.branching, self.leaf_size, self.seed)
        return table_of_codes(codes, per_level=self.per_level)


class _Group(NamedTuple):
    documents: IntArray
    path: tuple[int, ...]


def hierarchical_codes(vectors: npt.NDArray[Any], branching: int, leaf_size: int, seed: int) -> Ragged:
    """The codes of each row of `vectors` (floats [n, dimensions]): cluster numbers, then an ordinal; prefix-free.

    Raises:
        InputError: rows hold NaN or infinity.
    """
    check_vectors(vectors)
    codes: list[IntArray] = [np.empty(0, np.int32)] * len(vectors)
    stack = [_Group(np.arange(len(vectors)), ())] if len(vectors) else []
    while stack:
        group = stack.pop()
        if len(group.documents) > leaf_size:
            stack.extend(_split(vectors, group, branching, leaf_size, seed))
            continue
        for ordinal, document in enumerate(group.documents.tolist()):
            codes[document] = np.array([*group.path, ordinal], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(code) for code in codes], dtype=np.int64)]).astype(np.int64)
    return Ragged(np.concatenate(codes) if codes else np.empty(0, np.int32), offsets)


def table_of_codes(codes: Ragged, *, per_level: bool) -> DocidTable:
    """The table in which each code is a new token of its own, one set for each level or one for all."""
    level = np.arange(len(codes.values)) - np.repeat(codes.offsets[:-1], codes.lengths)
    if not per_level:
        level[:] = 0
    sizes = np.zeros(int(level.max(initial=-1)) + 1, np.int64)
    np.maximum.at(sizes, level, codes.values + 1)
    firsts = np.cumsum(sizes) - sizes
    labels = [str(number + 1) if per_level else "" for number in range(len(sizes))]
    tokens = [f"<c{label}_{code}>" for label, size in zip(labels, sizes, strict=True) for code in range(size)]
    sequences = Ragged((-1 - (firsts[level] + codes.values)).astype(np.int32), codes.offsets)
    return DocidTable.build(_strings(codes), sequences, tokens)


def _strings(codes: Ragged) -> list[str]:
    texts, bounds = list(map(str, codes.values.tolist())), codes.offsets.tolist()
    return ["-".join(texts[begin:end]) for begin, end in pairwise(bounds)]


def _split(
    vectors: npt.NDArray[Any], group: _Group, branching: int, leaf_size: int, seed: int
) -> list[_Group]:
    """The clusters of a group; each is smaller than the group, whatever the vectors are."""
    points = Points(vectors, group.documents)
    depth = len(group.path)
    centroids = kmeans(points, branching, np.random.default_rng([seed, *group.path]))
    labels, _ = nearest(points, centroids)
    sizes = np.bincount(labels, minlength=len(centroids))
    if int(sizes.max()) == len(points) or depth > _most_levels(len(vectors), branching, leaf_size):
        labels = _even_labels(labels, branching)
    numbers = np.unique(labels)
    return [
        _Group(group.documents[labels == number], (*group.path, code))
        for code, number in enumerate(numbers.tolist())
    ]


def _even_labels(labels: IntArray, branching: int) -> IntArray:
    """Parts of equal size, keeping points of one cluster together."""
    even = np.empty(len(labels), np.int64)
    even[np.argsort(labels, kind="stable")] = np.arange(len(labels)) * branching // len(labels)
    return even


def _most_levels(documents: int, branching: int, leaf_size: int) -> int:
    """How deep clusters may go before groups are divided evenly: twice what even clusters would need, and two."""
    return 2 * math.ceil(math.log(max(documents / leaf_size, 1), branching)) + 2
