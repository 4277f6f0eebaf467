"""From passages to their sets of words. Knows passages and a tokenizer; knows no query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from docid.ragged import Ragged, as_ragged
from docid.words import WordSets
from genret.config import Number, check_bounds
from genret.corpus.types import Passage
from genret.tokenizer.interface import Tokenizer
from genret.tokenizer.plain_text import text_ids

__all__ = ["WordOptions", "choose_words", "passage_tokens"]


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


def choose_words(passages: Sequence[Passage], tokenizer: Tokenizer, options: WordOptions) -> WordSets:
    """The words of highest BM25 weight of each passage, among the tokens of `tokenizer`."""
    titles = _tokens([passage.title for passage in passages], tokenizer) if options.title_weight else None
    texts = _tokens([passage.text for passage in passages], tokenizer)
    return WordSets.choose(
        texts, len(tokenizer), limit=options.limit, titles=titles, title_weight=options.title_weight
    )


def passage_tokens(passages: Sequence[Passage], tokenizer: Tokenizer, title_weight: int) -> Ragged:
    """The tokens of passages as `choose_words` counts them, for `WordSets.extended`."""
    titles = text_ids(tokenizer, [passage.title for passage in passages])
    texts = text_ids(tokenizer, [passage.text for passage in passages])
    return as_ragged([title * title_weight + text for title, text in zip(titles, texts, strict=True)])


def _tokens(texts: Sequence[str], tokenizer: Tokenizer) -> Ragged:
    return as_ragged(text_ids(tokenizer, texts))
