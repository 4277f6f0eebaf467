"""A training step of n-grams in float32 and in bfloat16, by all weights, the upper half of the layers, and LoRA.

    python -m benchmarks.training.precision CORPUS JUDGEMENTS [--steps 8] [--batch 16]

All variants of SmolLM2-135M-Instruct see the same batches and take turns, a step each, in one process of one thread, so
that a busy machine slows all of them. Prints CPU seconds a step (median), trained weights, and the loss of each step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from genret.corpus import read_store
from genret.jobs.cache_folder import default_cache
from genret.models import load_backbone
from genret.models.freezing import freeze_lowest
from genret.models.pretrained import PretrainedBackbone
from genret.models.smollm2 import smollm2_folder
from genret.models.weight_adapters.options import AdapterOptions
from genret.recipes.from_configuration import load_recipe
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Examples, Targets
from genret.training.examples.feed import ExampleFeed
from genret.training.examples.material import read_material
from genret.training.examples.sources import make_source
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions

CONFIG = Path(__file__).parents[2] / "configs" / "ngrams_boolq.yaml"
RATES = {"all weights": 3e-4, "upper half": 3e-4, "LoRA": 1e-3}


@dataclass
class Variant:
    """One way to train, and what its steps took."""

    name: str
    bf16: bool
    engine: TorchEngine
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("judgements")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--ways", nargs="+", default=list(RATES), choices=list(RATES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = smollm2_folder(default_cache("models"))
    variants = [variant(folder, way, bf16) for way in given.ways for bf16 in (False, True)]
    feed = batches(given, variants[0].engine.module.backbone)
    for step in range(given.steps):
        (batch,) = feed.batches(step)
        for one in variants:
            train(one, batch)
            print(f"step {step}, {one.name}, bf16 {one.bf16}: {one.seconds[-1]:.2f} s", flush=True)
    report(variants)


def variant(folder: Path, way: str, bf16: bool) -> Variant:
    backbone = load_backbone(folder, "causal", template="{query}")
    assert isinstance(backbone, PretrainedBackbone)
    if way == "upper half":
        freeze_lowest(backbone.model, 15)
    elif way == "LoRA":
        backbone.adapt(AdapterOptions(r=16), folder)
    module = TrainingModule(backbone, CrossEntropy())
    return Variant(way, bf16, TorchEngine(module, OptimizerOptions(), bf16=bf16))


def batches(given: argparse.Namespace, backbone: PretrainedBackbone) -> ExampleFeed:
    overrides = [f"data.corpus={given.corpus}", f"data.judgements={given.judgements}", "data.evaluation=null"]
    recipe = load_recipe(CONFIG, overrides)
    store = read_store(recipe.data.corpus, recipe.data.reading)
    material = read_material(recipe.data, store, backbone.tokenizer, recipe.seed)
    pairs = make_source("query_ngrams", recipe.sources["query_ngrams"]).open(material)
    examples = Examples(pairs, "query_ngrams", Targets(None, backbone.eos_token_id))
    options = TrainingOptions(max_steps=given.steps, batch_size=given.batch, group_by_length=True)
    return ExampleFeed(
        {"query_ngrams": examples}, {"query_ngrams": 1.0}, options, pad_token_id=backbone.pad_token_id
    )


def train(one: Variant, batch) -> None:
    begin = time.process_time()
    sums = one.engine.loss(batch)
    one.engine.backward(sums.mean)
    one.engine.step(RATES[one.name])
    one.seconds.append(time.process_time() - begin)
    one.losses.append(float(sums.mean.detach()))


def report(variants: list[Variant]) -> None:
    print("| trained | weights, M | numbers | CPU seconds a step | loss of each step |")
    print("| --- | ---: | --- | ---: | --- |")
    for one in variants:
        count = sum(parameter.numel() for parameter in one.engine.parameters.values())
        losses = ", ".join(f"{loss:.3f}" for loss in one.losses)
        middle = statistics.median(one.seconds[1:] or one.seconds)
        kind = "bfloat16" if one.bf16 else "float32"
        print(f"| {one.name} | {count / 1e6:.1f} | {kind} | {middle:.2f} | {losses} |")


if __name__ == "__main__":
    main()
