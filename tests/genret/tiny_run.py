"""A tiny T5 trained on the toy's examples, with any engine, in any number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from backbones import VOCAB_SIZE, t5
from torch import nn
from toy import toy_sources

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.models.weight_adapters.options import AdapterOptions
from genret.training.engines.engine import make_engine
from genret.training.engines.processes import World
from genret.training.examples.batch import CrossEntropy, TrainingModule, by_tokens
from genret.training.examples.feed import ExampleFeed
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import DeepSpeedOptions, OptimizerOptions, TrainingOptions
from genret.training.losses.base import Loss, Training
from genret.training.losses.ranked_candidates import BeamFinder
from genret.training.losses.sampled import Proposal, SampledSoftmax


def options(engine: str = "torch", stage: int = 1, **others: Any) -> TrainingOptions:
    defaults = {"max_steps": 6, "batch_size": 8, "learning_rate": 1e-2, "logging_steps": 1, "save_steps": 3}
    return TrainingOptions(
        engine=engine,
        deepspeed=DeepSpeedOptions(zero_stage=stage),
        optimizer=OptimizerOptions(max_grad_norm=1.0),
        **{**defaults, **others},
    )


def sampled() -> SampledSoftmax:
    """Negatives from the tiny T5's vocabulary."""
    return SampledSoftmax(Proposal(np.ones(VOCAB_SIZE)), 64, seed=2)


def tiny_trainer(
    folder: Path,
    chosen: TrainingOptions,
    objective: Any = None,
    dropout: float = 0.0,
    adapter: AdapterOptions | None = None,
    loss: Loss | None = None,
) -> Trainer:
    world = World.join()
    backbone = t5()
    if adapter is not None:
        backbone.extend_vocabulary(["<new>"])
        backbone.adapt(adapter)
    for module in backbone.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = dropout
    by_rows = isinstance(objective, SampledSoftmax)
    weigh = by_tokens if loss is None else loss.weigh
    if loss is not None:
        docids = sorted({one.target[:-1] for part in toy_sources().values() for one in part})
        find = BeamFinder(TrieConstraint(DocidTrie.build(docids, backbone.eos_token_id)), 4)
        objective = loss.objective(Training(backbone, find=find))
    module = TrainingModule(backbone, objective or CrossEntropy(), weigh, by_rows=by_rows)
    feed = ExampleFeed(
        toy_sources(), {"index": 1.0, "query": 2.0}, chosen, pad_token_id=backbone.pad_token_id, world=world
    )
    return Trainer(make_engine(module, chosen, world), feed, chosen, folder=folder, world=world)


def train(folder: Path, chosen: TrainingOptions, resume: bool = False, **others: Any) -> float:
    return tiny_trainer(folder, chosen, **others).train({"kind": "provenance"}, resume=resume).loss
