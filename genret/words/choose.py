"""From passages to their sets of words. Knows passages and a tokenizer; knows no query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from docid.words import WordSets
from genret.config import Number, check_bounds
from genret.corpus.types import Passage
from genret.tokenizer.interface import Tokenizer
from genret.words.words import Words, passage_tokens

__all__ = ["WordOptions", "choose_words"]


@dataclass(frozen=True)
class WordOptions:
    """Which words stand for a passage.

    Attributes:
        limit: words of a passage, at most.
        title_weight: how often each word of the title counts; 0: titles are not read.
    """

    limit: Annotated[int, Interval(ge=1, le=1 << 16)] = 64
    title_weight: Number = 3

    def __post_init__(self) -> None:
        check_bounds(self)


def choose_words(passages: Sequence[Passage], tokenizer: Tokenizer, options: WordOptions) -> Words:
    """The words of highest BM25 weight of each passage, among the tokens of `tokenizer`; nothing is learned yet."""
    tokens = passage_tokens(passages, tokenizer, options.title_weight)
    sets = WordSets.choose(tokens, len(tokenizer), limit=options.limit)
    return Words(sets, tokenizer, options.title_weight)
