"""Our loop against the bare forward-backward-step loop of the same model, engine and ZeRO stage; the input alone.

Both loops take turns on the same engine in one process, so that a busy machine slows both; CPU time is given beside
wall time. `python benchmarks/training/throughput.py --packed FOLDER --tokenizer FOLDER` with a folder of
`genret data prepare`, or without arguments on random token ids.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from docid import DocidTable
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.training.batch import CrossEntropy, TrainingModule
from genret.training.engines import make_engine
from genret.training.examples import Example
from genret.training.metrics import Diary, MetricsLog
from genret.training.options import DeepSpeedOptions, TrainingOptions
from genret.training.packed import PackedExamples
from genret.training.packed_feed import PackedFeed
from genret.training.prepare import prepare_examples
from genret.training.trainer import Trainer
from genret.training.world import World

ENGINES = [("torch", 0), ("deepspeed", 0), ("deepspeed", 1), ("deepspeed", 2), ("deepspeed", 3)]


def random_examples(folder: Path, count: int = 20_000) -> PackedExamples:
    """Sources of 5 to 60 tokens, targets of 8."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 61, count)
    rows = [Example(str(n), tuple(rng.integers(3, 250, 8).tolist()), "x", 1.0, n) for n in range(count)]
    table = DocidTable.build(["0"], [[5]])

    def tokenise(texts: list[str]) -> list[list[int]]:
        return [rng.integers(3, 250, lengths[int(text)]).tolist() for text in texts]

    prepare_examples({"x": rows}, tokenise, table, folder / "packed", {"tokenizer": "none"})
    return PackedExamples.load(folder / "packed")


def trainer(engine: str, stage: int, packed: PackedExamples, folder: Path, arguments: Any) -> Trainer:
    options = TrainingOptions(
        max_steps=10**6,
        batch_tokens=arguments.tokens,
        engine=engine,  # type: ignore[arg-type]
        deepspeed=DeepSpeedOptions(zero_stage=stage),
        logging_steps=20,
    )
    config = T5Config(vocab_size=arguments.vocab, d_model=256, d_kv=32, d_ff=1024, num_layers=4, num_heads=8)
    backbone = EncoderDecoderBackbone(T5ForConditionalGeneration(config), ByT5Tokenizer(extra_ids=0))
    feed = PackedFeed(packed, dict.fromkeys(packed.sizes, 1.0), options, pad_token_id=0)
    module = TrainingModule(backbone, CrossEntropy())
    return Trainer(make_engine(module, options, World()), feed, options, folder=folder)


def measure(work: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds of wall and of CPU, and tokens."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = work()
    return time.perf_counter() - wall, time.process_time() - cpu, tokens


def compare(name: str, ours: Trainer, folder: Path, rounds: int, steps: int) -> None:
    diary = Diary(MetricsLog(folder / "metrics.jsonl", {"kind": "provenance"}))
    batches: list[Any] = []
    original = ours.feed.batches
    ours.feed.batches = lambda step: batches.append(original(step)) or batches[-1]  # type: ignore[method-assign,func-returns-value]

    def loop() -> int:
        batches.clear()
        for _ in range(steps):
            ours._goes_on()
            ours._one_step(diary)
        return size(batches)

    def bare() -> int:
        for (batch,) in batches:
            ours.engine.backward(ours.engine.loss(batch).mean)
            ours.engine.step(1e-4)
        return size(batches)

    loop(), bare()
    totals = np.zeros((2, 3))
    for _ in range(rounds):
        totals[0] += measure(loop)
        totals[1] += measure(bare)
    wall, cpu = totals[1, 0] / totals[0, 0], totals[1, 1] / totals[0, 1]
    rates = totals[:, 2] / totals[:, 0]
    print(f"| {name} | {rates[1]:,.0f} | {rates[0]:,.0f} | {wall:.3f} | {cpu:.3f} |", flush=True)


def size(batches: list[Any]) -> int:
    return sum(int(b.source_tokens.mask.sum()) + int((b.weights > 0).sum()) for step in batches for b in step)


def input_alone(packed: PackedExamples, tokens: int, steps: int = 200) -> None:
    options = TrainingOptions(max_steps=1, batch_tokens=tokens)
    feed = PackedFeed(packed, dict.fromkeys(packed.sizes, 1.0), options, pad_token_id=0)
    real = padded = 0
    begin = time.process_time()
    for step in range(steps):
        (batch,) = feed.batches(step)
        real += int(batch.source_tokens.mask.sum()) + int((batch.weights > 0).sum())
        padded += batch.source_tokens.ids.numel() + batch.targets.numel()
    seconds, examples = time.process_time() - begin, feed.seen(0)["examples"]
    print(f"input alone: {examples / seconds:,.0f} examples/s, {real / seconds:,.0f} tokens/s of CPU time;")
    print(f"padding {1 - real / padded:.2%} of {padded / steps:,.0f} tokens a step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packed", type=Path)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--vocab", type=int, default=8100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--input-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packed = PackedExamples.load(arguments.packed) if arguments.packed else random_examples(folder)
        input_alone(packed, arguments.tokens)
        if arguments.input_only:
            return
        print("| engine | bare loop, tokens/s | ours | ours / bare | by CPU time |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for engine, stage in ENGINES:
            name = engine if engine == "torch" else f"{engine}, ZeRO {stage}"
            compare(
                name,
                trainer(engine, stage, packed, folder, arguments),
                folder,
                arguments.rounds,
                arguments.steps,
            )


if __name__ == "__main__":
    main()
