"""The words of passages beside their n-grams, and what words of questions and of n-grams give to all passages at once.

A question's words find passages by BM25's weights: the rarer a word, and the more of a short passage it is, the more it is
worth. So do the words that the model writes, each by how much of what was written holds it (Mao et al., "Generation-
Augmented Retrieval", ACL 2021, with weights). Words are read twice: whole, and by their beginnings, which are alike in
forms of one word. Knows texts, words and passages; knows no model and no index. The work is done by `genret.words`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from docid.ragged import IntArray, as_ragged
from docid.scripts import bare_words, folded
from docid.simultaneous import SimultaneousScorer, WeightedTokens
from genret.corpus.types import Passage
from genret.tokenizer.interface import Tokenizer
from genret.words import WordOptions, Words, choose_words
from genret.words.relevance import weighed_by_relevance

__all__ = ["READINGS", "Lexicon", "Written", "as_read"]

# Letters of a word's beginning.
BEGINNING = 4

FloatArray = npt.NDArray[np.float32]
# Texts, and how much of what was written each is.
Written = Sequence[tuple[str, float]]


def _whole(text: str) -> list[str]:
    """Words without case, accents and marks, so that a word is spelled in one way wherever it stands."""
    return bare_words(folded(text.lower()))


def _beginnings(text: str) -> list[str]:
    return [word[:BEGINNING] for word in _whole(text)]


READINGS: Mapping[str, Callable[[str], list[str]]] = {"words": _whole, "beginnings": _beginnings}


@dataclass(frozen=True)
class Lexicon:
    """The words of all passages, by reading."""

    readings: Mapping[str, Words]

    @classmethod
    def of(cls, passages: Iterable[Passage], tokenizer: Tokenizer, options: WordOptions) -> Self:
        """Count the words of passages, spelled by the model's tokenizer."""
        listed = list(passages)
        made = {}
        for name in READINGS:
            made[name] = replace(choose_words(_read(listed, name), tokenizer, options), weight=1.0)
        return cls(made)

    @property
    def num_documents(self) -> set[int]:
        """Of how many passages the readings are; one number where they belong together."""
        return {own.sets.num_documents for own in self.readings.values()}

    def written(self, texts: Sequence[Written]) -> dict[str, WeightedTokens]:
        """What words of written texts are worth, by reading: a word's idf times the part of the texts that hold it.

        Args:
            texts: of each question.
        """
        return {name: self._written(name, texts) for name in self.readings}

    def learned(self, queries: Sequence[str], rows: Sequence[Sequence[int]]) -> Self:
        """The same, each word worth what it tells of the documents `rows` that answer labelled queries."""
        made = {}
        for name, own in self.readings.items():
            made[name] = weighed_by_relevance(own, [as_read(query, name) for query in queries], rows)
        return type(self)(made)

    def scores(self, reading: str, words: WeightedTokens) -> FloatArray:
        """What words give to each passage, float32 [questions, passages]."""
        sets = self.readings[reading].sets
        found = np.zeros((len(words.offsets) - 1, sets.num_documents), np.float32)
        SimultaneousScorer(None, 0, sets).add_word_scores(words, found)
        return found

    def only(self, documents: IntArray) -> Self:
        """Those of these passages alone (ascending, int [n])."""
        return type(self)({name: own.only(documents) for name, own in self.readings.items()})

    def extended(self, passages: Sequence[Passage]) -> Self:
        """These and the words of further passages, weighed by what was counted of the first."""
        return type(self)({name: own.extended(_read(passages, name)) for name, own in self.readings.items()})

    def save(self, folder: Path) -> None:
        """Write a folder for each reading."""
        for name, own in self.readings.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            own.save(folder / name)

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer) -> Self:
        """Open what `save` wrote.

        Raises:
            ArtefactError: a file is missing, damaged or newer, or was made with another tokenizer.
        """
        return cls({name: Words.load(folder / name, tokenizer) for name in READINGS})

    def _written(self, name: str, texts: Sequence[Written]) -> WeightedTokens:
        own = self.readings[name]
        flat = [as_read(text, name) for each in texts for text, _ in each]
        numbers = iter(own.reader.numbers(flat))
        tokens, parts = [], []
        for each in texts:
            held: dict[int, float] = {}
            for _, part in each:
                for number in own.telling(next(numbers)).tolist():
                    held[number] = held.get(number, 0.0) + part
            chosen = sorted(held)
            tokens.append(np.array(chosen, np.int64))
            parts += [held[number] for number in chosen]
        rows = as_ragged(tokens)
        values = rows.values.astype(np.int64)
        weights = own.values[values] * np.array(parts, np.float32)
        return WeightedTokens(rows.offsets.astype(np.int64), values, weights)


def as_read(text: str, reading: str) -> str:
    """A text as a tokenizer spells it alike wherever it stands: its words, each with a space before it."""
    return "".join(f" {word}" for word in READINGS[reading](text))


def _read(passages: Sequence[Passage], reading: str) -> list[Passage]:
    return [
        Passage(one.passage_id, as_read(one.title, reading), as_read(one.text, reading)) for one in passages
    ]
