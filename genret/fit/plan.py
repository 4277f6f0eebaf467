"""How a time budget is spent: what is measured before a fit begins, and what follows from it.

Knows rates and counts; does none of the work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from genret.corpus import Passage
from genret.errors import UsageError
from genret.fit.data import FitData
from genret.models.docid_decoder import DocidNetwork
from genret.models.sentence_encoder import SentenceEncoder
from genret.progress import format_duration

__all__ = ["Plan", "make_plan"]

SAMPLE_TEXTS = 120
PARTS = 3
# Shares of the budget: for encoding training texts beyond the passages, and kept for the test at the end.
ENCODING_SHARE = 0.3
TEST_SHARE = 0.1
MIN_TRAINING_SHARE = 0.1
# A sentence costs about this much of a whole passage.
VIEW_COST = 0.3
MAX_VIEWS = 8
# The docid network: hidden units, passages of a step, the share of the training time it may take, and how often it
# sees each passage. After fewer passes than the least it ranks worse than the codes alone.
NETWORK_WIDTH, NETWORK_BATCH = 2048, 512
NETWORK_SHARE = 0.6
LEAST_PASSES, PASSES = 12, 50


@dataclass(frozen=True)
class Plan:
    """What a fit will do.

    Attributes:
        passages_seconds: expected time to encode the passages.
        views: sentences of each passage to train on.
        views_seconds: expected time to encode those and the queries.
        test_seconds: kept for the evaluation.
        network_steps: of training the docid network; 0: no network.
        network_seconds: expected time of that.
        training_seconds: what is left.
        dimension: width of the encoder's vectors.
    """

    passages_seconds: float
    views: int
    views_seconds: float
    test_seconds: float
    network_steps: int
    network_seconds: float
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
            f"3. train the decoder, at most {format_duration(self.training_seconds)}, and a network over its docids, "
            f"about {format_duration(self.network_seconds)}",
            "4. save, load again, and test beside BM25 and the dense retriever of the same encoder, at most "
            f"{format_duration(self.test_seconds)}",
        ]


def make_plan(data: FitData, encoder: SentenceEncoder, budget_seconds: float) -> Plan:
    """Measure the encoder on a sample of the passages, and share the budget out.

    Raises:
        UsageError: the budget is too short for this corpus on this machine; the message names one that is not.
    """
    seconds = _seconds_per_passage(encoder, [passage.full_text for passage in _sample(data)])
    passages_seconds = seconds * len(data.passages)
    left = budget_seconds * (1 - TEST_SHARE - MIN_TRAINING_SHARE) - passages_seconds
    if left < 0:
        needed = passages_seconds / (1 - TEST_SHARE - MIN_TRAINING_SHARE)
        raise UsageError(
            f"encoding {len(data.passages):,} passages takes about {format_duration(passages_seconds)} here, too much "
            f"of a budget of {format_duration(budget_seconds)}; allow at least {int(needed / 60) + 1} minutes."
        )
    per_view = seconds * VIEW_COST * len(data.passages)
    views = max(1, min(MAX_VIEWS, int(min(left, ENCODING_SHARE * budget_seconds) / max(per_view, 1e-9))))
    views_seconds = views * per_view + seconds * VIEW_COST * len(data.train)
    test_seconds = TEST_SHARE * budget_seconds
    training = budget_seconds - test_seconds - passages_seconds - views_seconds
    step = _seconds_per_network_step(encoder.dimension)
    steps = _network_steps(len(data.passages), int(NETWORK_SHARE * training / step))
    return Plan(
        passages_seconds,
        views,
        views_seconds,
        test_seconds,
        steps,
        steps * step,
        training - steps * step,
        encoder.dimension,
    )


def _network_steps(passages: int, affordable: int) -> int:
    """Steps of the docid network: none where there is no time for enough of them."""
    steps = min(affordable, -(-PASSES * passages // NETWORK_BATCH))
    return steps if steps * NETWORK_BATCH >= LEAST_PASSES * passages else 0


def _seconds_per_network_step(dimension: int) -> float:
    """The best of a few steps of a network as it will be."""
    network = DocidNetwork(NETWORK_WIDTH, NETWORK_WIDTH, dimension, padding=0)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    tokens = torch.randint(1, NETWORK_WIDTH, (NETWORK_BATCH, 8))
    seconds = []
    for _ in range(PARTS):
        begin = time.monotonic()
        network(tokens).square().sum().backward()
        optimizer.step()
        seconds.append(time.monotonic() - begin)
    return min(seconds)


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
