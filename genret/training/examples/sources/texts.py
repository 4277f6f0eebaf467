"""Pieces of text: sentences and words.

Knows punctuation and white space; knows no passage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["MIN_SENTENCE_WORDS", "long_sentences", "pick_sentence", "split_sentences"]

import numpy as np

MIN_SENTENCE_WORDS = 5
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def split_sentences(text: str) -> list[str]:
    """Sentences by their final punctuation; abbreviations may cut one short, which training tolerates."""
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]


def long_sentences(text: str, min_words: int = MIN_SENTENCE_WORDS) -> list[str]:
    """The sentences of at least `min_words` words."""
    return [sentence for sentence in split_sentences(text) if len(sentence.split()) >= min_words]


def pick_sentence(texts: Sequence[str], rng: np.random.Generator, min_words: int = MIN_SENTENCE_WORDS) -> str:
    """One sentence of `texts`, all long enough ones alike; where there is none, one of the texts."""
    sentences = [sentence for text in texts for sentence in long_sentences(text, min_words)]
    chosen = sentences or list(texts)
    return chosen[int(rng.integers(len(chosen)))]
