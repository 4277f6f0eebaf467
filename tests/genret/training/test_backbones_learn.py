"""Every kind of backbone learns a toy corpus by cross-entropy until beam search finds each passage first."""

from __future__ import annotations

import pytest
import torch
from backbones import DOCID_TOKENS, bart, frozen, llama

from docid import DocidTable
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.feed import ExampleFeed
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import TrainingOptions

TEXTS = ["river of paris", "city near rome", "who read", "where lies the mountain", "run", "walk the city"]


@pytest.mark.parametrize("build", [frozen, bart, llama])
def test_beam_search_finds_every_training_docid(tmp_path, build):
    backbone = build()
    names = DOCID_TOKENS[:8]
    sequences = [[-1 - row // 2, -5 - row % 2, *([-8] if row == 5 else [])] for row in range(len(TEXTS))]
    unbound = DocidTable.build([str(row) for row in range(len(TEXTS))], sequences, names)
    table = unbound.bind(backbone.extend_vocabulary(names))
    eos = backbone.eos_token_id
    examples = [
        Example(text, (*table.sequence(row).tolist(), eos), "passages", 1.0, row)
        for row, text in enumerate(TEXTS)
    ]
    options = TrainingOptions(max_steps=160, batch_size=6, learning_rate=5e-3, logging_steps=20)
    engine = TorchEngine(TrainingModule(backbone, CrossEntropy()), options.optimizer)
    feed = ExampleFeed({"passages": examples}, {"passages": 1.0}, options, pad_token_id=backbone.pad_token_id)
    assert Trainer(engine, feed, options, folder=tmp_path).train({}).loss < 0.5
    backbone.eval()
    with torch.inference_mode():
        constraint = TrieConstraint(table.trie(eos))
        found = beam_search(backbone, backbone.encode(TEXTS), constraint, num_beams=6)
    assert [hypotheses[0].documents for hypotheses in found] == [[row] for row in range(len(TEXTS))]
