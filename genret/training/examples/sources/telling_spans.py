"""Spans of a passage that tell what a query asks: those that hold much of it, by how rare its words are.

Knows words and how many passages hold them; knows no tokenizer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from docid.scripts import bare_words, units
from genret.corpus import PassageStore

__all__ = ["Rarity", "span_chances", "telling_span"]

# Passages that are read for how rare words are.
SAMPLE = 50_000


@dataclass(frozen=True)
class Rarity:
    """How rare words are.

    Attributes:
        held: in how many of the passages that were read each lower-cased word is.
        count: how many were read.
    """

    held: Counter[str]
    count: int

    @classmethod
    def of(cls, passages: PassageStore) -> Self:
        """Read the passages, or `SAMPLE` of them at even distances."""
        rows = np.unique(np.linspace(0, len(passages) - 1, min(SAMPLE, len(passages))).astype(int)).tolist()
        held: Counter[str] = Counter()
        for row in rows:
            held.update(set(bare_words(passages[row].body.lower())))
        return cls(held, len(rows))

    def idf(self, word: str) -> float:
        """In nats, above 0 (Lucene's form of Robertson's)."""
        held = self.held[word]
        return math.log1p((self.count - held + 0.5) / (held + 0.5))


def span_chances(
    pieces: Sequence[str], query: str, rarity: Rarity, size: int, temperature: float
) -> npt.NDArray[np.float64]:
    """The chance of each place that a span of `size` pieces may begin at, in proportion to exp(share / temperature).

    `share` is the part of the query that the span holds: of the idf of its words that are among all the pieces, each
    counted once.
    """
    asked = set(bare_words(query.lower()))
    common = [asked.intersection(bare_words(piece.lower())) for piece in pieces]
    worth = {word: rarity.idf(word) for word in set().union(*common)}
    whole = sum(worth.values()) or 1.0
    shares = [
        sum(worth[word] for word in set().union(*common[begin : begin + size])) / whole
        for begin in range(max(1, len(pieces) - size + 1))
    ]
    weights: npt.NDArray[np.float64] = np.exp((np.array(shares) - max(shares)) / temperature)
    return np.asarray(weights / weights.sum(), np.float64)


def telling_span(
    text: str, query: str, rarity: Rarity, size: int, temperature: float, rng: np.random.Generator
) -> list[str]:
    """`size` consecutive units of a text, drawn by `span_chances`; a shorter text gives itself."""
    pieces = units(text)
    chances = span_chances(pieces, query, rarity, size, temperature)
    begin = int(rng.choice(len(chances), p=chances))
    return pieces[begin : begin + size]
