"""Sentences of texts to train on: those that are long enough, and one of them at random. Knows no passage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genret.corpus.split import sentences

__all__ = ["MIN_SENTENCE_WORDS", "long_sentences", "pick_sentence"]

MIN_SENTENCE_WORDS = 5


def long_sentences(text: str, min_words: int = MIN_SENTENCE_WORDS) -> list[str]:
    """The sentences of at least `min_words` words."""
    return [sentence for sentence in sentences(text) if len(sentence.split()) >= min_words]


def pick_sentence(texts: Sequence[str], rng: np.random.Generator, min_words: int = MIN_SENTENCE_WORDS) -> str:
    """One sentence of `texts`, all long enough ones alike; where there is none, one of the texts."""
    found = [sentence for text in texts for sentence in long_sentences(text, min_words)]
    chosen = found or list(texts)
    return chosen[int(rng.integers(len(chosen)))]
