"""Our loop against the bare forward-backward-step loop of the same model, engine and ZeRO stage; the input alone.

Both loops take turns, a step each on the same batch, in one process, so that a busy machine slows both; beside the
ratio is the part of our loop that is neither forward, backward nor update. Random token ids, or with
`--packed` a folder of `genret data prepare`, mixed as `--config` says or in equal parts. On a GPU, model FLOP utilisation of a T5-base:

    python benchmarks/training/throughput.py --device cuda --model base --bf16 --tokens 65536 --vocab 32128 \\
        --engines deepspeed-1 --peak-tflops 989 --profile profile.txt
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from docid import DocidTable
from genret.config import load_config
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.recipes.recipe_options import DocidRecipe
from genret.training.engines.engine import TorchEngine, make_engine
from genret.training.engines.processes import World
from genret.training.examples.batch import Batch, CrossEntropy, TrainingModule
from genret.training.examples.example import Example
from genret.training.examples.packed import PackedExamples
from genret.training.examples.packed_feed import PackedFeed
from genret.training.examples.preparation import Readings, prepare_examples
from genret.training.loop.diary import Diary, MetricsLog
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import DeepSpeedOptions, TrainingOptions

ENGINES = ("torch", "deepspeed-0", "deepspeed-1", "deepspeed-2", "deepspeed-3")
FloatArray = npt.NDArray[np.float64]
MODELS = {
    "small": {"d_model": 256, "d_kv": 32, "d_ff": 1024, "num_layers": 4, "num_heads": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
}
WARM_UP = 2
INPUT_POOLS = 2


def random_examples(folder: Path, count: int = 20_000) -> PackedExamples:
    """Sources of 5 to 60 tokens, targets of 8."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 61, count)
    rows = [Example(str(n), tuple(rng.integers(3, 250, 8).tolist()), "x", 1.0, n) for n in range(count)]
    table = DocidTable.build(["0"], [[5]])

    def tokenise(texts: list[str]) -> list[list[int]]:
        return [rng.integers(3, 250, lengths[int(text)]).tolist() for text in texts]

    prepare_examples(lambda: Readings({"x": rows}, tokenise, table), folder / "packed", {"tokenizer": "none"})
    return PackedExamples.load(folder / "packed")


def packed_feed(
    packed: PackedExamples, options: TrainingOptions, arguments: argparse.Namespace
) -> PackedFeed:
    ratios = dict.fromkeys(packed.sizes, 1.0)
    if arguments.config:
        ratios = load_config(DocidRecipe, arguments.config).mixture
    return PackedFeed(packed, ratios, options, pad_token_id=0, device=arguments.device)


def make_trainer(name: str, packed: PackedExamples, folder: Path, arguments: argparse.Namespace) -> Trainer:
    kind, _, stage = name.partition("-")
    options = TrainingOptions(
        max_steps=10**6,
        batch_tokens=arguments.tokens,
        engine=kind,  # type: ignore[arg-type]
        deepspeed=DeepSpeedOptions(zero_stage=int(stage or 0)),
        bf16=arguments.bf16,
    )
    model = T5ForConditionalGeneration(T5Config(vocab_size=arguments.vocab, **MODELS[arguments.model]))
    backbone = EncoderDecoderBackbone(model.to(arguments.device), ByT5Tokenizer(extra_ids=0))
    engine = make_engine(TrainingModule(backbone, CrossEntropy()), options, World())
    return Trainer(engine, packed_feed(packed, options, arguments), options, folder=folder)


def bare_step(engine: Any, batch: Batch) -> None:
    """What torch's or DeepSpeed's own documentation does in a step, and clipping."""
    if isinstance(engine, TorchEngine):
        with torch.autocast(batch.targets.device.type, torch.bfloat16, enabled=engine._autocast):
            loss = engine.module(batch).mean
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(engine.parameters.values()), engine.options.max_grad_norm)
        engine.optimizer.step()
        engine.optimizer.zero_grad(set_to_none=True)
        return
    own = engine._engine
    own.backward(own(batch).mean)
    if engine.stage == 0:  # here DeepSpeed is told not to clip
        torch.nn.utils.clip_grad_norm_(
            list(engine.parameters.values()), engine.options.optimizer.max_grad_norm
        )
    own.step()


def seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def count_inside(engine: Any) -> list[float]:
    """Seconds of each later call of the engine: what a loop spends beside them is its own."""
    inside: list[float] = []

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begin = time.perf_counter()
            found = method(*arguments)
            inside.append(time.perf_counter() - begin)
            return found

        return call

    for name in ("loss", "backward", "step"):
        setattr(engine, name, counted(getattr(engine, name)))
    return inside


def compare(name: str, ours: Trainer, packed: PackedExamples, arguments: argparse.Namespace) -> None:
    """Both loops on the same batches; either one is the first of the two in every other step."""
    diary = Diary(MetricsLog(ours.folder / "metrics.jsonl", {"kind": "provenance"}))
    feed, inside = packed_feed(packed, ours.options, arguments), count_inside(ours.engine)
    batch: Any = None

    def loop() -> None:
        ours._goes_on()
        ours._one_step(diary)

    def bare() -> None:
        bare_step(ours.engine, batch)

    pairs, tokens = [], 0
    for step in range(WARM_UP + arguments.steps):
        if step == WARM_UP:
            inside.clear()
        (batch,) = feed.batches(step)
        turns = [loop, bare] if step % 2 else [bare, loop]
        found = {turn: seconds(turn) for turn in turns}
        if step >= WARM_UP:
            pairs.append((found[bare], found[loop]))
            tokens += size(batch)
    show(name, np.array(pairs), tokens, sum(inside))
    rate = tokens / sum(one for _, one in pairs)
    if arguments.peak_tflops:
        used = flops(bare) / size(batch) * rate
        print(f"model FLOP utilisation {used / arguments.peak_tflops / 1e12:.1%}, {used / 1e12:.1f} TFLOP/s")
    if arguments.profile:
        profile_steps(loop, arguments.profile, arguments.device)


def show(name: str, pairs: FloatArray, tokens: int, inside: float) -> None:
    """A row of the table, of float [steps, 2] seconds: the bare loop's and ours."""
    rates, ratios = tokens / pairs.sum(0), pairs[:, 0] / pairs[:, 1]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    total, own = rates[1] / rates[0], 1 - inside / pairs[:, 1].sum()
    row = [f"{rates[0]:,.0f}", f"{rates[1]:,.0f}", f"{total:.3f}", f"{middle:.3f} ({low:.3f} to {high:.3f})"]
    print("| " + " | ".join([name, *row, f"{own:.2%}"]) + " |", flush=True)


def size(batch: Batch) -> int:
    """Tokens of a batch, padding not included."""
    return int(batch.source_tokens.mask.sum()) + int((batch.weights > 0).sum())  # type: ignore[union-attr]


def flops(step: Callable[[], None]) -> float:
    """Of the matrix products in a step, those over padding included."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def profile_steps(loop: Callable[[], None], path: Path, device: str, steps: int = 5) -> None:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        for _ in range(steps):
            loop()
    path.write_text(seen.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=40))


def input_alone(packed: PackedExamples, arguments: argparse.Namespace) -> None:
    feed = packed_feed(packed, TrainingOptions(max_steps=1, batch_tokens=arguments.tokens), arguments)
    real = padded = steps = 0
    begin = time.process_time()
    while feed.state()["pool"] < INPUT_POOLS:
        (batch,) = feed.batches(steps)
        steps += 1
        real += size(batch)
        padded += batch.source_tokens.ids.numel() + batch.targets.numel()  # type: ignore[union-attr]
    seconds, examples = time.process_time() - begin, feed.seen(0)["examples"]
    print(f"input alone: {examples / seconds:,.0f} examples/s, {real / seconds:,.0f} tokens/s of CPU time;")
    print(f"padding {1 - real / padded:.2%} of {padded / steps:,.0f} tokens a step, {examples:,} examples")


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packed = PackedExamples.load(arguments.packed) if arguments.packed else random_examples(folder)
        input_alone(packed, arguments)
        if arguments.input_only:
            return
        print(
            "| engine | bare, tokens/s | ours | ours / bare | of a step, median (quartiles) | outside the engine |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name in arguments.engines:
            compare(name, make_trainer(name, packed, folder, arguments), packed, arguments)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packed", type=Path)
    parser.add_argument("--config", type=Path, help="the recipe that the examples were prepared by")
    parser.add_argument("--input-only", action="store_true")
    parser.add_argument("--tokens", type=int, default=1024, help="a step")
    parser.add_argument("--vocab", type=int, default=8100)
    parser.add_argument("--model", choices=MODELS, default="small")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--peak-tflops", type=float, help="of the device; prints model FLOP utilisation")
    parser.add_argument("--profile", type=Path, help="write a profile of a few of our steps there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
