"""Texts of any length with the statistics of a real corpus: what follows what, how long texts are, how rare words are.

Each next symbol is what followed a random occurrence of the one before it (a chain of order one, drawn from the corpus
itself), so that frequencies and pairs are the corpus's. Words go on being new at the rate at which the corpus's last
ones were: the share of words that occur once (I. J. Good, "The population frequencies of species", 1953), from a
Zipf's tail beyond the corpus's vocabulary whose slope is that of its growth. Nothing is said about meaning.

Knows arrays of integers and lists of words; knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PASSAGE_WORDS", "Chain", "Page", "Pages", "Words"]

PASSAGE_WORDS = 100
# Pages that are drawn together, from a seed of their own: any range of them can be made by itself.
BLOCK = 4096
LARGEST_WORD = 1 << 40

Ints = npt.NDArray[Any]


class Chain:
    """Draws texts from sequences of symbols.

    Args:
        symbols: integers [n] from 0, of all sequences, one after the other.
        offsets: integers [D + 1]; no sequence is empty.
    """

    def __init__(self, symbols: Ints, offsets: Ints) -> None:
        self.symbols, self.offsets = symbols, offsets
        counts = np.bincount(symbols)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._order = np.argsort(symbols, kind="stable").astype(np.int32)
        self._last = np.zeros(len(symbols), np.bool_)
        self._last[offsets[1:] - 1] = True
        self.counts = counts

    def draw(self, random: np.random.Generator, count: int, length: int) -> tuple[Ints, Ints]:
        """Texts as symbols [count, length], and how long each was when a sequence first ended in it."""
        places = self._beginnings(random, count)
        texts = np.empty((count, length), self.symbols.dtype)
        ended = np.full(count, length)
        for step in range(length):
            texts[:, step] = found = self.symbols[places]
            begin, end = self._starts[found], self._starts[found + 1]
            other = self._order[begin + (random.random(count) * (end - begin)).astype(np.int64)]
            places = other.astype(np.int64) + 1
            over = np.flatnonzero(self._last[other])
            ended[over] = np.minimum(ended[over], step + 1)
            places[over] = self._beginnings(random, len(over))
        return texts, ended

    def _beginnings(self, random: np.random.Generator, count: int) -> Ints:
        return self.offsets[random.integers(0, len(self.offsets) - 1, count)]


class Words:
    """Words as symbols, and new ones beyond them.

    Args:
        texts: sequences of words.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        numbers: dict[str, int] = {}
        found, offsets = [], [0]
        for text in texts:
            found.append(np.array([numbers.setdefault(word, len(numbers)) for word in text], np.int32))
            offsets.append(offsets[-1] + len(text))
        self.words = list(numbers)
        self.chain = Chain(np.concatenate(found), np.array(offsets))
        once = np.flatnonzero(self.chain.counts == 1)
        self.once = [self.words[number] for number in once] or self.words
        self.new = len(once) / len(self.chain.symbols)
        # What share of the vocabulary occurs once is the exponent at which it grows (Baayen 2001, section 1.3).
        growth = min(len(once) / len(self.words), 0.95)
        self._slope = growth / (1 - growth)

    def draw(self, random: np.random.Generator, count: int, length: int) -> tuple[Ints, Ints]:
        """As `Chain.draw`; numbers from the size of the vocabulary on are new words."""
        symbols, ended = self.chain.draw(random, count, length)
        texts = symbols.astype(np.int64)
        fresh = random.random(texts.shape) < self.new
        tail = random.random(int(fresh.sum())) ** -self._slope - 1
        texts[fresh] = len(self.words) + np.minimum(len(self.words) * tail, LARGEST_WORD).astype(np.int64)
        return texts, ended

    def spell(self, symbols: Iterable[int]) -> str:
        """Words between blanks."""
        known = len(self.words)
        return " ".join(self.words[one] if one < known else self._coined(one - known) for one in symbols)

    def _coined(self, number: int) -> str:
        """The first half of one rare word and the second of another: no two numbers share both."""
        rest, first = divmod(number, len(self.once))
        one, other = self.once[first], self.once[(first + 1 + rest) % len(self.once)]
        beyond = (rest + 1) // len(self.once)
        return one[: (len(one) + 1) // 2] + other[len(other) // 2 :] + (str(beyond) if beyond else "")


@dataclass(frozen=True)
class Page:
    """A page: its number, title and paragraphs, of 100 words each but the last."""

    number: int
    title: str
    paragraphs: list[str]


class Pages:
    """Pages after a corpus: its titles' words, its texts' words, and lengths of its texts, stretched to a mean.

    Args:
        titles, texts: of the corpus's pages, as words.
        passages: of a page in the mean.
    """

    def __init__(
        self, titles: Sequence[Sequence[str]], texts: Sequence[Sequence[str]], passages: float, seed: int = 0
    ) -> None:
        self.titles, self.texts = Words(filter(None, titles)), Words(filter(None, texts))
        self.lengths = _stretched(np.array([len(text) for text in texts if text]), passages)
        self.longest_title = int(np.quantile([len(title) for title in titles if title], 0.9999))
        self.seed = seed

    def titles_of(self, numbers: range) -> Iterator[str]:
        """The titles of pages by number, from 0."""
        for _, random, wanted in self._blocks(numbers):
            yield from self._titles(random)[wanted.start : wanted.stop]

    def of(self, numbers: range) -> Iterator[Page]:
        """Pages by number."""
        for first, random, wanted in self._blocks(numbers):
            titles = self._titles(random)
            lengths = random.choice(self.lengths, BLOCK)
            counts = -(-lengths // PASSAGE_WORDS)
            words, _ = self.texts.draw(random, int(counts.sum()), PASSAGE_WORDS)
            ends = np.cumsum(counts)
            for place in wanted:
                own = words[ends[place] - counts[place] : ends[place]].tolist()
                own[-1] = own[-1][: (int(lengths[place]) - 1) % PASSAGE_WORDS + 1]
                yield Page(first + place, titles[place], [self.texts.spell(text) for text in own])

    def _blocks(self, numbers: range) -> Iterator[tuple[int, np.random.Generator, range]]:
        """Of each block that holds wanted pages: its first page, its source of chance, and the wanted ones' places."""
        for block in range(numbers.start // BLOCK, -(-numbers.stop // BLOCK)):
            begin = block * BLOCK
            wanted = range(max(numbers.start - begin, 0), min(numbers.stop - begin, BLOCK))
            yield begin, np.random.default_rng([self.seed, block]), wanted

    def _titles(self, random: np.random.Generator) -> list[str]:
        symbols, ended = self.titles.draw(random, BLOCK, self.longest_title)
        return [
            self.titles.spell(row[:end]) for row, end in zip(symbols.tolist(), ended.tolist(), strict=True)
        ]


def _stretched(lengths: Ints, passages: float) -> Ints:
    """Lengths in words, all multiplied by what makes it so many passages in the mean."""
    low, high = 0.0, 1.0
    while _passages(_times(lengths, high)) < passages:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _passages(_times(lengths, middle)) < passages else (low, middle)
    return _times(lengths, high)


def _times(lengths: Ints, factor: float) -> Ints:
    return np.maximum(lengths * factor, 1).astype(np.int64)


def _passages(lengths: Ints) -> float:
    return float(np.mean(-(-lengths // PASSAGE_WORDS)))
