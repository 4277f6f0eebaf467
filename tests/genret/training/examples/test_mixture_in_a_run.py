"""What a run's metrics say of its mixture, and that a run that was stopped draws the same again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from toy import EOS, PAD, toy_sources, toy_trainer

from genret.training.examples.example import Example
from genret.training.examples.feed import POOL, ExampleFeed
from genret.training.examples.mixture import MixtureOptions
from genret.training.loop.training_options import TrainingOptions

OPTIONS = TrainingOptions(max_steps=30, batch_size=7, logging_steps=10)


def feed(mixing: MixtureOptions | None = None) -> ExampleFeed:
    return ExampleFeed(toy_sources(), {"index": 1.0, "query": 2.0}, OPTIONS, pad_token_id=PAD, mixing=mixing)


def test_metrics_hold_the_exact_counts_of_every_source(tmp_path):
    trainer = toy_trainer(tmp_path, OPTIONS)
    trainer.train({})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    steps = [line for line in lines if line.get("kind") == "step"]
    assert [line["step"] for line in steps] == [10, 20, 30]
    for line in steps:
        drawn = Counter(one.task for step in range(line["step"]) for one in feed().examples(step))
        assert line["drawn"] == drawn
        assert sum(line["drawn"].values()) == line["examples"]


def test_a_feed_that_starts_in_the_middle_draws_the_same():
    mixing = MixtureOptions(temperature=2.0, caps={"query": 5})
    whole = [feed(mixing).examples(step) for step in range(30)]
    later = feed(mixing)
    assert [later.examples(step) for step in range(17, 30)] == whole[17:]
    assert later.identity["epoch_sizes"] == {"index": 8, "query": 5}


def test_steps_of_like_lengths_hold_the_examples_of_their_pool_once():
    examples = [
        Example("word " * (row % 37 + 1), (row % 5 + 2, EOS), "words", 1.0, row) for row in range(500)
    ]

    def made(grouped: bool) -> ExampleFeed:
        options = replace(OPTIONS, group_by_length=grouped)
        return ExampleFeed({"words": examples}, {"words": 1.0}, options, pad_token_id=PAD)

    grouped, plain = made(True), made(False)
    steps = [grouped.examples(step) for step in range(2 * POOL)]
    for pool in (range(POOL), range(POOL, 2 * POOL)):
        drawn = sorted(one for step in pool for one in plain.examples(step))
        assert sorted(one for step in pool for one in steps[step]) == drawn
    assert padding(steps) < 0.25 * padding([plain.examples(step) for step in range(2 * POOL)])
    shortest = [min(len(one.source) for one in step) for step in steps[:POOL]]
    assert shortest != sorted(shortest)  # not from short to long
    assert [made(True).examples(step) for step in range(19, 2 * POOL)] == steps[19:]
    assert grouped.identity != plain.identity


def padding(steps: list[list[Example]]) -> int:
    """Characters that the sources are shorter than the longest of their step."""
    return sum(max(len(one.source) for one in step) - len(one.source) for step in steps for one in step)
