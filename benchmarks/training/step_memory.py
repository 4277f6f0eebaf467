"""Memory and time of a training step against the formulas of `genret train --plan`, as the batch grows.

`python benchmarks/training/step_memory.py`: a T5 in float32 on the CPU, plain torch, sources of 56 tokens and
targets of 8; each batch in a process of its own. The formulas' activations are those of one micro-batch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from genret.jobs.stages import Stages
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.recipes.needs import activation_memory, model_shape, state_memory
from genret.recipes.recipe_options import DocidModelOptions
from genret.training.engines.engine import TorchEngine
from genret.training.examples.batch import Batch, CrossEntropy, SourceTokens, TrainingModule
from genret.training.loop.training_options import OptimizerOptions

SOURCE, TARGET = 56, 8
MIB = 2**20
CONFIG = {"vocab_size": 8100, "d_model": 256, "d_kv": 32, "d_ff": 1024, "num_layers": 4, "num_heads": 8}


def batch_of(tokens: int) -> Batch:
    rows = tokens // (SOURCE + TARGET)
    sources, targets = torch.randint(3, 250, (rows, SOURCE)), torch.randint(3, 250, (rows, TARGET))
    weights, documents = torch.ones(rows, TARGET), torch.zeros(rows, dtype=torch.int64)
    read = SourceTokens(sources, torch.ones_like(sources, dtype=torch.bool))
    return Batch([], targets, weights, documents, ["x"] * rows, 0, read)


def step(engine: TorchEngine, batch: Batch) -> None:
    engine.backward(engine.loss(batch).mean)
    engine.step(1e-3)


def measure(tokens: int) -> None:
    """Print a row of the table."""
    torch.set_num_threads(1)
    stages = Stages()
    with stages.stage("before"):
        pass
    model = EncoderDecoderBackbone(T5ForConditionalGeneration(T5Config(**CONFIG)), ByT5Tokenizer(extra_ids=0))
    engine = TorchEngine(TrainingModule(model, CrossEntropy()), OptimizerOptions())
    step(engine, batch_of(SOURCE + TARGET))
    with stages.stage("held between steps"):
        batch = batch_of(tokens)
    cpu = time.process_time()
    with stages.stage("step"):
        step(engine, batch)
    seconds = time.process_time() - cpu
    before, held, peak = (stage.peak_bytes for stage in stages.finished)
    shape = model_shape(DocidModelOptions("encoder-decoder", config=CONFIG, tokenizer="none"))
    state = state_memory(shape.parameters, 0, 1, bf16=False)
    activations = activation_memory(shape, tokens, SOURCE + TARGET, bf16=False, checkpointing=False)
    # Gradients are given back after each step.
    row = [state.device - state.gradients, held - before, state.gradients + activations, peak - held]
    print(
        f"| {tokens:,} |" + "".join(f" {value / MIB:,.0f} |" for value in row) + f" {seconds:.2f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, help="measure a batch of so many tokens in this process")
    arguments = parser.parse_args()
    if arguments.tokens:
        measure(arguments.tokens)
        return
    print("| tokens | held, MiB: formula | measured | during a step: formula | measured | CPU s |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for tokens in (1024, 2048, 4096, 8192):
        subprocess.run([sys.executable, Path(__file__), "--tokens", str(tokens)], check=True)


if __name__ == "__main__":
    main()
