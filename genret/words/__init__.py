"""The lexical half of docids: each passage's set of words, and what a query's words are worth."""

from __future__ import annotations

from genret.words.emphasis import contradicted, doubts, emphases, told_apart
from genret.words.words import DEFAULT_WEIGHT, WordOptions, Words, choose_words, words_of

__all__ = [
    "DEFAULT_WEIGHT",
    "WordOptions",
    "Words",
    "choose_words",
    "contradicted",
    "doubts",
    "emphases",
    "told_apart",
    "words_of",
]
