"""How a time budget is spent: what is measured before a fit begins, and what follows from it.

Knows rates and counts; does none of the work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from genret.corpus import Passage
from genret.errors import UsageError
from genret.fitting.fit_data import FitData
from genret.jobs.progress import format_duration
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.words.word_reader import WordReader
from genret.words.words import passage_words

__all__ = ["FitPlan", "make_plan"]

SAMPLE_TEXTS = 120
PARTS = 3
# Of the budget, kept for the test at the end.
TEST_SHARE = 0.1
# A query costs about this much of a whole passage.
QUERY_COST = 0.3
# More levels keep more of a vector, and cost time to quantise: of 384 dimensions 32 keep nine tenths, 16 four fifths,
# 8 three fifths.
LEVELS, CODES = (32, 16, 8), 256
# Fewer passages than this for each code of a level, and codes stand for single passages.
PASSAGES_PER_CODE = 8
# Sets have the fewest words that leave out less than a third of a passage's distinct ones: more let chance in where
# passages are short and many, fewer lose what long ones are asked for. A word is 4 bytes of each passage that keeps it.
WORDS, LEFT_OUT, MOST_WORD_BYTES = (64, 128, 256), 1 / 3, 1 << 30
# What a level costs: products of so many numbers for each passage, code and dimension (k-means on a sample, assignment,
# and the drift of what is left), at the rate that is measured.
PASSES = 12


@dataclass(frozen=True)
class FitPlan:
    """What a fit will do.

    Attributes:
        passages_seconds: expected time to encode the passages.
        docids_seconds: expected time to quantise them.
        queries_seconds: expected time to encode the labelled queries.
        test_seconds: kept for the evaluation.
        levels, codes: of a docid: so many codes, each one of so many.
        dimension: width of the encoder's vectors.
        words: of a docid, at most.
    """

    passages_seconds: float
    docids_seconds: float
    queries_seconds: float
    test_seconds: float
    levels: int
    codes: int
    dimension: int
    words: int

    def lines(self, data: FitData) -> list[str]:
        """The plan in words."""
        labels = f"{len(data.train):,} judged queries" if data.train else "no labels"
        learned = (
            f"3. encode the judged queries, about {format_duration(self.queries_seconds)}, and learn from nine tenths of "
            "them how queries are read; kept where it ranks the others better than before"
            if data.train
            else "3. nothing is trained: there are no labels to learn from"
        )
        return [
            f"{len(data.store):,} passages; {labels}; test: {len(data.test):,} {data.test_name}.",
            f"1. encode the passages, about {format_duration(self.passages_seconds)}",
            f"2. a docid for each: {self.levels} codes of {self.codes}, about {format_duration(self.docids_seconds)}, and "
            f"its most telling words, at most {self.words}",
            learned,
            "4. save, load again, and test beside BM25, the dense retriever of the same encoder and both, at most "
            f"{format_duration(self.test_seconds)}",
        ]


def make_plan(data: FitData, encoder: SentenceEncoder, budget_seconds: float) -> FitPlan:
    """Measure the encoder on a sample of the passages, and share the budget out.

    Raises:
        UsageError: the budget is too short for this corpus on this machine; the message names one that is not.
    """
    sample = _sample(data)
    seconds = _seconds_per_passage(encoder, [passage.full_text for passage in sample])
    passages = len(data.passages)
    passages_seconds, queries_seconds = seconds * passages, seconds * QUERY_COST * len(data.train)
    codes = max(2, min(CODES, passages // PASSAGES_PER_CODE))
    per_level = _seconds_per_level(passages, codes, encoder.dimension)
    left = budget_seconds * (1 - TEST_SHARE) - passages_seconds - queries_seconds
    levels = next((number for number in LEVELS if number * per_level <= left), None)
    if levels is None:
        needed = passages_seconds + queries_seconds + LEVELS[-1] * per_level
        raise UsageError(
            f"encoding {passages:,} passages and giving them docids takes about {format_duration(needed)} here, too "
            f"much of a budget of {format_duration(budget_seconds)}; allow at least "
            f"{int(needed / (1 - TEST_SHARE) / 60) + 1} minutes."
        )
    return FitPlan(
        passages_seconds,
        levels * per_level,
        queries_seconds,
        TEST_SHARE * budget_seconds,
        levels,
        codes,
        encoder.dimension,
        _words(encoder, sample, passages),
    )


def _words(encoder: SentenceEncoder, sample: list[Passage], passages: int) -> int:
    """How many words the sets of passages like these may have, in the memory that so many get."""
    tokens = passage_words(sample, WordReader(encoder.tokenizer), 1)
    rows = (tokens.values[begin:end] for begin, end in pairwise(tokens.offsets.tolist()))
    distinct = np.array([len(np.unique(row)) for row in rows])
    kept = {most: int(np.minimum(distinct, most).sum()) for most in WORDS}
    each = 4 * passages / max(len(distinct), 1)
    fitting = [most for most in WORDS if kept[most] * each <= MOST_WORD_BYTES] or WORDS[:1]
    enough = (most for most in fitting if kept[most] > distinct.sum() * (1 - LEFT_OUT))
    return next(enough, fitting[-1])


def _sample(data: FitData) -> list[Passage]:
    rows = np.linspace(0, len(data.passages) - 1, min(SAMPLE_TEXTS, len(data.passages))).astype(int)
    return [data.passages[int(row)] for row in rows]


def _seconds_per_passage(encoder: SentenceEncoder, texts: list[str]) -> float:
    """The best of three parts of the sample: a busy moment of the machine must not decide about the plan."""
    encoder.embed(texts[:4])  # the first call pays for what later ones find ready
    return min(_timed(encoder, texts[part::PARTS]) for part in range(PARTS) if texts[part::PARTS])


def _timed(encoder: SentenceEncoder, texts: list[str]) -> float:
    begin = time.monotonic()
    encoder.embed(texts)
    return (time.monotonic() - begin) / len(texts)


def _seconds_per_level(passages: int, codes: int, dimension: int) -> float:
    """Expected time to quantise all passages at one level."""
    points, book = (np.ones((rows, dimension), np.float32) for rows in (2048, 256))
    seconds = []
    for _ in range(PARTS):
        begin = time.monotonic()
        points @ book.T
        seconds.append(time.monotonic() - begin)
    return PASSES * min(seconds) / (2048 * 256) * passages * codes
