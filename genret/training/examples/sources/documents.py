"""Document representations: what stands for a passage in training when nobody has asked for it.

Pradeep et al., "How Does Generative Retrieval Scale to Millions of Passages?", EMNLP 2023, section 3.2, compares
them; synthetic queries, its best, are in `queries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from docid.scripts import joined, units
from genret.config import Count, Number, check_bounds
from genret.corpus import Passage
from genret.corpus.split import MIN_SENTENCE_WORDS, long_sentences
from genret.errors import InputError
from genret.training.examples.sources.source import Computed, Material, Pair, Source

__all__ = ["DocumentsAsQueries", "FirstWords", "Sentences"]


@dataclass(frozen=True)
class FirstWords(Source):
    """The beginning of each passage, title first ("FirstP", Pradeep et al. 2023, section 3.2).

    Attributes:
        words: how many, the title's included; None: the whole passage (DSI's indexing task, Tay et al. 2022,
            section 3.1).
    """

    name: ClassVar[str] = "firstp"
    words: Count | None = 64

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        passages = material.passages
        return Computed(len(passages), lambda row: Pair(self._begin(passages[row]), (row,)))

    def _begin(self, passage: Passage) -> str:
        text = passage.full_text
        return text if self.words is None else " ".join(text.split(maxsplit=self.words)[: self.words])


@dataclass(frozen=True)
class DocumentsAsQueries(Source):
    """Random spans of words ("DaQ", Zhuang et al., "Bridging the Gap Between Indexing and Retrieval", 2022).

    Every span of a drawn length is as likely as any other of that length.

    Attributes:
        per_passage: spans of each passage.
        words: shortest and longest; a shorter passage gives itself.
    """

    name: ClassVar[str] = "daq"
    per_passage: Count = 3
    words: tuple[Count, ...] = (6, 24)

    def __post_init__(self) -> None:
        check_bounds(self)
        if len(self.words) != 2 or not self.words[0] <= self.words[1]:
            raise InputError(
                f"words: expected the shortest and the longest length, found {list(self.words)}."
            )

    def open(self, material: Material) -> Sequence[Pair]:
        def span(place: int) -> Pair:
            row, number = divmod(place, self.per_passage)
            words = units(material.passages[row].body)
            return Pair(self._span(words, material.random(self.name, row, number)), (row,))

        return Computed(len(material.passages) * self.per_passage, span)

    def _span(self, words: list[str], rng: np.random.Generator) -> str:
        length = min(int(rng.integers(self.words[0], self.words[1] + 1)), len(words))
        begin = int(rng.integers(0, len(words) - length + 1))
        return joined(words[begin : begin + length])


@dataclass(frozen=True)
class Sentences(Source):
    """The title and the sentences of each passage.

    Attributes:
        limit: at most so many sentences of a passage, from its beginning; None: all.
        min_words: shorter sentences are left out.
    """

    name: ClassVar[str] = "sentences"
    limit: Count | None = 5
    min_words: Number = MIN_SENTENCE_WORDS

    def __post_init__(self) -> None:
        check_bounds(self)

    def open(self, material: Material) -> Sequence[Pair]:
        passages = material.passages
        counts = np.fromiter((len(self._texts(one)) for one in passages), np.int64, len(passages))
        ends = np.cumsum(counts)

        def sentence(place: int) -> Pair:
            row = int(np.searchsorted(ends, place, side="right"))
            return Pair(self._texts(passages[row])[place - int(ends[row] - counts[row])], (row,))

        return Computed(int(ends[-1]) if len(ends) else 0, sentence)

    def _texts(self, passage: Passage) -> list[str]:
        title = [passage.title] if passage.title.strip() else []
        return title + long_sentences(passage.text, self.min_words)[: self.limit]
