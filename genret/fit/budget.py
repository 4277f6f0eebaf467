"""How a time budget is spent: what is measured before a fit begins, and what follows from it.

Knows rates and counts; does none of the work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from genret.corpus import Passage
from genret.errors import UsageError
from genret.fit.fit_data import FitData
from genret.jobs.progress import format_duration
from genret.models.frozen.sentence_encoder import SentenceEncoder

__all__ = ["FitPlan", "make_plan"]

SAMPLE_TEXTS = 120
PARTS = 3
# Shares of the budget: for encoding training texts beyond the passages, and kept for the test at the end.
ENCODING_SHARE = 0.3
TEST_SHARE = 0.1
MIN_TRAINING_SHARE = 0.1
# A sentence costs about this much of a whole passage.
VIEW_COST = 0.3
MAX_VIEWS = 8
# The docid network: passages for each of its hidden units, and the most units. On BoolQ a unit for three passages
# ranked better than the codes alone and one for six worse in first place (docs/log.md); the least lies between.
PASSAGES_PER_UNIT, MOST_UNITS = 2, 8192
MOST_PASSAGES_PER_UNIT = 4


@dataclass(frozen=True)
class FitPlan:
    """What a fit will do.

    Attributes:
        passages_seconds: expected time to encode the passages.
        views: sentences of each passage to train on.
        views_seconds: expected time to encode those and the queries.
        test_seconds: kept for the evaluation.
        network_width: hidden units of the docid network; 0: no network.
        training_seconds: what is left.
        dimension: width of the encoder's vectors.
    """

    passages_seconds: float
    views: int
    views_seconds: float
    test_seconds: float
    network_width: int
    training_seconds: float
    dimension: int

    def lines(self, data: FitData) -> list[str]:
        """The plan in words."""
        labels = (
            f"{len(data.train):,} judged queries" if data.train else "no labels: examples from the passages"
        )
        return [
            f"{len(data.store):,} passages; {labels}; test: {len(data.test):,} {data.test_name}.",
            f"1. encode the passages, about {format_duration(self.passages_seconds)}, and quantise them into docids",
            f"2. encode the title and up to {self.views} sentences of each, about {format_duration(self.views_seconds)}",
            f"3. train the decoder, at most {format_duration(self.training_seconds)}",
            "4. save, load again, and test beside BM25 and the dense retriever of the same encoder, at most "
            f"{format_duration(self.test_seconds)}",
        ]


def make_plan(data: FitData, encoder: SentenceEncoder, budget_seconds: float) -> FitPlan:
    """Measure the encoder on a sample of the passages, and share the budget out.

    Raises:
        UsageError: the budget is too short for this corpus on this machine; the message names one that is not.
    """
    seconds = _seconds_per_passage(encoder, [passage.full_text for passage in _sample(data)])
    passages_seconds = seconds * len(data.passages)
    per_view = seconds * VIEW_COST * len(data.passages)
    queries_seconds = seconds * VIEW_COST * len(data.train)
    share = 1 - TEST_SHARE - MIN_TRAINING_SHARE
    left = budget_seconds * share - passages_seconds - queries_seconds
    if left < per_view:
        needed = passages_seconds + queries_seconds + per_view
        raise UsageError(
            f"encoding {len(data.passages):,} passages and a sentence of each takes about {format_duration(needed)} here, "
            f"too much of a budget of {format_duration(budget_seconds)}; allow at least "
            f"{int(needed / share / 60) + 1} minutes."
        )
    views = max(1, min(MAX_VIEWS, int(min(left, ENCODING_SHARE * budget_seconds) / max(per_view, 1e-9))))
    views_seconds = views * per_view + queries_seconds
    test_seconds = TEST_SHARE * budget_seconds
    training = budget_seconds - test_seconds - passages_seconds - views_seconds
    return FitPlan(
        passages_seconds,
        views,
        views_seconds,
        test_seconds,
        _network_width(len(data.passages)),
        training,
        encoder.dimension,
    )


def _network_width(passages: int) -> int:
    """Hidden units of the docid network: none where the most would be too few."""
    units = min(passages // PASSAGES_PER_UNIT, MOST_UNITS)
    return units if units * MOST_PASSAGES_PER_UNIT >= passages else 0


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
