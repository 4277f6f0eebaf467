"""What a search of docids finds, and where a passage stands in it. Knows scores; searches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from genret.corpus.types import MetadataValue
from genret.retrieval.word_parts import WordMatch

__all__ = ["Hit", "Standing", "place_of"]


class Hit(NamedTuple):
    """One retrieved passage.

    Attributes:
        score: of the docid that stands for it (see `SearchOptions`): the sum of both parts.
        code_score: of the docid's codes, as the model scores them.
        word_score: of the words that its set shares with the query; 0 where docids have no words.
        words: those words, and what each is worth, the most valuable first.
        metadata: the passage's fields.
    """

    rank: int
    passage_id: str
    docid: str
    score: float
    text: str | None = None
    code_score: float = 0.0
    word_score: float = 0.0
    words: tuple[WordMatch, ...] = ()
    metadata: Mapping[str, MetadataValue] = {}


class Standing(NamedTuple):
    """Where one passage stands among all for one query, by its simultaneous scores; ranks from 1.

    Attributes:
        score, code_score, word_score: both parts, and each.
        rank, code_rank, word_rank: passages that are better by it, and 1.
    """

    score: float
    rank: int
    code_score: float
    code_rank: int
    word_score: float
    word_rank: int


def place_of(scores: npt.NDArray[Any], row: int) -> tuple[float, int]:
    """A document's score, and its rank from 1."""
    return float(scores[row]), int((scores > scores[row]).sum()) + 1
