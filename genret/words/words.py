"""The words of passages, and what those of a query are worth to the documents that hold them.

The lexical part of a document's score is the sum, over the words that its set shares with the query, of what each is
worth there: its idf to begin with, which needs no training, times a factor of its own once there were labels to learn it
from, times one weight that says how much words count beside codes, times the share of it that the document has. Simultaneous decoding of lexical docids: Zeng et
al., "Planning Ahead in Generative Retrieval" (PAG), SIGIR 2024, section 3.2. Knows passages, token ids and numbers;
knows no model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Interval

from docid.ragged import IntArray, Ragged, as_ragged
from docid.simultaneous import WeightedTokens
from docid.words import WordSets
from fm_index.container import Section, read_container, write_container
from genret.config import check_bounds
from genret.corpus.types import Passage
from genret.errors import ArtefactError, InputError
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.interface import Tokenizer
from genret.words.word_reader import WordReader

__all__ = [
    "DEFAULT_WEIGHT",
    "SETS_FILE",
    "VALUES_FILE",
    "WordOptions",
    "Words",
    "choose_words",
    "passage_words",
    "words_of",
]

SETS_FILE, VALUES_FILE = "docids.words", "words.values"
KIND, VERSION = "word-values", 1
# What a nat of idf is worth, in nats of score, where nothing says better. On the cosine of an encoder's vectors, which
# scores here are 20 times, that is .015: where sums of dense and lexical scores ranked best on three question sets, and
# a third to either side changes little.
DEFAULT_WEIGHT = 0.3
# Titles are repeated in memory so often.
MOST_TITLES = 1 << 8


@dataclass(frozen=True)
class Words:
    """The words of all documents, and what each is worth to a query that has it.

    Attributes:
        sets: the documents' words.
        tokenizer: that reads queries, and read the passages.
        title_weight: how often a word of a passage's title counts.
        weight: of words beside codes: score a nat of idf.
        factors: float32 [vocab_size], what each word's idf is multiplied with, not below 0; None: all are 1.

    Raises:
        InputError: sets, factors and tokenizer are of unlike vocabularies, or a number is not finite or below 0.
    """

    sets: WordSets
    tokenizer: Tokenizer
    title_weight: int = 3
    weight: float = DEFAULT_WEIGHT
    factors: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.sets.vocab_size != self.reader.vocab_size:
            raise InputError(
                f"words: the sets are of {self.sets.vocab_size} words, the tokenizer has {self.reader.vocab_size}; choose "
                "the words again with this tokenizer."
            )
        if fault := _fault(self.title_weight, self.weight, self.factors, self.sets.vocab_size):
            raise InputError(f"words: {fault}.")

    @cached_property
    def reader(self) -> WordReader:
        """Reads texts as the words of these sets."""
        return WordReader(self.tokenizer, self.sets.vocab_size)

    @cached_property
    def values(self) -> npt.NDArray[np.float32]:
        """What each word is worth to a query that has it, float32 [vocab_size]."""
        idf = self.sets.statistics.idf() * np.float32(self.weight)
        return idf if self.factors is None else idf * self.factors

    def weighted(self, queries: Sequence[str]) -> WeightedTokens:
        """Each query's distinct words that are worth something, ascending."""
        own = [self.telling(row) for row in self.reader.numbers(queries)]
        rows = as_ragged(own)
        tokens = rows.values.astype(np.int64)
        return WeightedTokens(rows.offsets.astype(np.int64), tokens, self.values[tokens])

    def extended(self, passages: Sequence[Passage]) -> Words:
        """These and the words of further passages, weighed by what was counted of the first."""
        return replace(self, sets=self.sets.extended(passage_words(passages, self.reader, self.title_weight)))

    def only(self, documents: IntArray) -> Words:
        """The words of these documents alone (ascending, int [n])."""
        return replace(self, sets=self.sets.only(documents))

    def widened(self) -> Words:
        """The same words, of a tokenizer that was given further tokens since, which no document holds."""
        vocabulary = tokenizer_fingerprint(self.tokenizer)
        size = self.reader.first_token + len(self.tokenizer)
        return replace(self, sets=self.sets.widened(size, vocabulary))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write two checksummed files into a folder."""
        vocabulary = tokenizer_fingerprint(self.tokenizer)
        replace(self.sets, vocabulary=vocabulary, title_weight=self.title_weight).save(
            Path(folder) / SETS_FILE
        )
        meta = {"weight": float(self.weight), "title_weight": self.title_weight, "tokenizer": vocabulary}
        arrays = {} if self.factors is None else {"factors": self.factors}
        write_container(Path(folder) / VALUES_FILE, kind=KIND, version=VERSION, meta=meta, arrays=arrays)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], tokenizer: Tokenizer) -> Words:
        """Open what `save` wrote; the sets are memory-mapped.

        Raises:
            ArtefactError: a file is missing, damaged or newer, or was made with another tokenizer.
        """
        path = Path(folder) / VALUES_FILE
        sets = WordSets.load(Path(folder) / SETS_FILE)
        stored = read_container(path, kind=KIND, version=VERSION, verify="full")
        sections = {"factors": Section("<f4")} if "factors" in stored.arrays else {}
        stored.check(path, sections, {"weight": float, "title_weight": int, "tokenizer": str})
        title_weight, weight = stored.meta["title_weight"], stored.meta["weight"]
        factors = stored.arrays.get("factors")
        if fault := _fault(title_weight, weight, factors, sets.vocab_size):
            raise ArtefactError(f"{path}: damaged: {fault}.")
        named = {stored.meta["tokenizer"], sets.vocabulary or stored.meta["tokenizer"]}
        if named != {tokenizer_fingerprint(tokenizer)} or not _fits(sets, tokenizer):
            raise ArtefactError(
                f"{folder}: its words were chosen with another tokenizer than the one in this folder; put the original "
                "tokenizer back, or build the model again."
            )
        return cls(sets, tokenizer, title_weight, weight, factors)

    def telling(self, numbers: IntArray) -> IntArray:
        """The distinct words among these (int [n]) that are worth something, ascending."""
        distinct = np.unique(numbers)
        # The unknown token stands for any text that the tokenizer cannot spell: to share it says nothing.
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        known = distinct != (-1 if unknown is None else self.reader.first_token + unknown)
        found: IntArray = distinct[known & (self.values[distinct] > 0)]
        return found


def passage_words(passages: Sequence[Passage], reader: WordReader, title_weight: int) -> Ragged:
    """The words that passages' sets are chosen from, a row each: those of the title `title_weight` times."""
    titles = reader.numbers([passage.title for passage in passages])
    texts = reader.numbers([passage.text for passage in passages])
    return as_ragged(
        [np.concatenate([*[title] * title_weight, text]) for title, text in zip(titles, texts, strict=True)]
    )


def _fits(sets: WordSets, tokenizer: Tokenizer) -> bool:
    return sets.vocab_size == WordReader(tokenizer, sets.vocab_size).vocab_size


def _fault(
    title_weight: int, weight: float, factors: npt.NDArray[np.float32] | None, vocab_size: int
) -> str | None:
    """What makes these no values of words."""
    if not 0 <= title_weight <= MOST_TITLES:
        return f"its titles count {title_weight} times, expected 0 to {MOST_TITLES}"
    if not (np.isfinite(weight) and weight >= 0):
        return f"its weight is {weight}, expected a number of at least 0"
    if factors is None:
        return None
    if factors.shape != (vocab_size,):
        return f"it has factors of {len(factors)} words, expected {vocab_size}"
    return (
        None if bool(np.isfinite(factors).all() and (factors >= 0).all()) else "a factor is no number from 0"
    )


@dataclass(frozen=True)
class WordOptions:
    """Which words stand for a passage.

    Attributes:
        limit: words of a passage, at most.
        title_weight: how often each word of the title counts; 0: titles are not read.
    """

    limit: Annotated[int, Interval(ge=1, le=1 << 16)] = 64
    title_weight: Annotated[int, Interval(ge=0, le=MOST_TITLES)] = 3

    def __post_init__(self) -> None:
        check_bounds(self)


def choose_words(passages: Sequence[Passage], tokenizer: Tokenizer, options: WordOptions) -> Words:
    """The words of highest BM25 weight of each passage, as `tokenizer` spells them; nothing is learned yet."""
    reader = WordReader(tokenizer)
    words = passage_words(passages, reader, options.title_weight)
    sets = WordSets.choose(words, reader.vocab_size, limit=options.limit)
    vocabulary = tokenizer_fingerprint(tokenizer)
    sets = replace(sets, vocabulary=vocabulary, title_weight=options.title_weight)
    return Words(sets, tokenizer, options.title_weight)


def words_of(sets: WordSets, tokenizer: Tokenizer, where: str = "words") -> Words:
    """Sets that were read from a file, with the tokenizer that they were chosen with; nothing is learned yet.

    Args:
        where: they were read from, for messages.

    Raises:
        InputError: they were chosen with another one, or it is of another size where the file does not say.
    """
    if not _fits(sets, tokenizer):
        raise InputError(
            f"{where}: of {sets.vocab_size} words, the tokenizer has {WordReader(tokenizer).vocab_size}; give the one that "
            "they were chosen with."
        )
    found = tokenizer_fingerprint(tokenizer)
    if sets.vocabulary not in (None, found):
        raise InputError(
            f"{where}: chosen with the tokenizer {sets.vocabulary}, this one is {found}: of the same size, but its tokens are "
            "others; give the one that they were chosen with."
        )
    title_weight = WordOptions().title_weight if sets.title_weight is None else sets.title_weight
    return Words(sets, tokenizer, title_weight)
