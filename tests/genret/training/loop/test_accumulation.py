"""Micro-batches: however a step is cut, its loss and gradients are those of the whole, token by token."""

from __future__ import annotations

import torch
from floats import FORWARD, assert_close, close
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import EOS, PAD, ToyBackbone

from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions

EXAMPLES = st.lists(
    st.tuples(st.lists(st.integers(2, 15), max_size=6), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=2,
    max_size=9,
)


def accumulated(folder, rows, micro_batches, smoothing):
    """The first step's loss a unit of weight, and the gradients, by name."""
    examples = [
        Example(f"word{row}", (*tokens, EOS), "q", weight, row) for row, (tokens, weight) in enumerate(rows)
    ]
    options = TrainingOptions(
        max_steps=1, batch_size=len(examples), gradient_accumulation_steps=micro_batches
    )
    engine = TorchEngine(TrainingModule(ToyBackbone(), CrossEntropy(smoothing)), OptimizerOptions())
    feed = ExampleFeed({"q": examples}, {"q": 1.0}, options, pad_token_id=PAD)
    trainer = Trainer(engine, feed, options, folder=folder)
    total, weight = trainer._accumulate(feed.batches(0))
    gradients = {name: one.grad for name, one in engine.module.named_parameters() if one.grad is not None}
    return float(total) / weight, gradients


@settings(max_examples=40, deadline=None)
@given(EXAMPLES, st.integers(2, 9), st.sampled_from([0.0, 0.1]))
def test_a_step_in_micro_batches_is_one_large_step(tmp_path_factory, rows, parts, smoothing):
    """Targets of unlike length and weight: a mean of means would count the tokens of a short micro-batch double."""
    folder = tmp_path_factory.mktemp("run")
    whole, expected = accumulated(folder, rows, 1, smoothing)
    found, gradients = accumulated(folder, rows, min(parts, len(rows)), smoothing)
    assert_close(found, whole, ulps=FORWARD)
    assert gradients.keys() == expected.keys()
    scale = max(float(one.abs().max()) for one in expected.values())
    for name, one in expected.items():
        assert_close(gradients[name], one, ulps=FORWARD, scale=scale)


def test_a_mean_of_means_would_be_another_number(tmp_path):
    """What the property above is about: the plain mean over micro-batches differs."""
    rows = [([5, 6, 7, 8, 9, 10], 1.0), ([], 1.0)]
    whole, _ = accumulated(tmp_path, rows, 1, 0.0)
    apart = [accumulated(tmp_path, [row, row], 1, 0.0)[0] for row in rows]
    assert not close(sum(apart) / 2, whole, within=0.05)
    assert torch.isfinite(torch.tensor(whole))
