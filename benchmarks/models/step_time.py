"""One decoding step of a T5-small-size model: this library's backbone beside transformers' own forward.

    python benchmarks/models/step_time.py [--beams 10 40] [--source 32] [--steps 8]

Both sides run the same random weights on the same tokens for `--steps` steps, with the same reordering of beams
in between; logits are compared in the same run. transformers gets encoder states and cross-attention caches
that are expanded over beams, as its beam search does, and its caches are reordered between steps; it computes
the head once per row, as we do. Prints a Markdown table: milliseconds per step, median of `--repeats` runs, of
the decoder with head; and bytes kept between steps. Times are the process's CPU time on one thread: on an idle
machine that is the time that passes, and on a busy one it is disturbed less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from genret.models.encoder_decoder import EncodedSource, EncoderDecoderBackbone

VOCABULARY = 32_128


def build() -> EncoderDecoderBackbone:
    torch.manual_seed(0)
    config = T5Config(vocab_size=VOCABULARY, decoder_start_token_id=0)  # the defaults are T5-small's
    return EncoderDecoderBackbone(T5ForConditionalGeneration(config).eval(), ByT5Tokenizer(extra_ids=0))


class Case:
    """Queries, beams and the tokens and reorderings of every step."""

    def __init__(
        self, backbone: EncoderDecoderBackbone, queries: int, beams: int, source: int, steps: int
    ) -> None:
        generator = torch.Generator().manual_seed(1)
        ids = torch.randint(3, 250, (queries, source), generator=generator)
        with torch.no_grad():
            self.encoded = backbone.encode_ids(ids, torch.ones_like(ids))
        self.queries, self.beams = queries, beams
        rows = queries * beams
        self.tokens = torch.randint(0, VOCABULARY, (steps, rows), generator=generator)
        within = torch.randint(0, beams, (steps, rows), generator=generator)
        self.orders = within + torch.arange(queries).repeat_interleave(beams) * beams


def ours(backbone: EncoderDecoderBackbone, case: Case) -> tuple[torch.Tensor, int]:
    first, state = backbone.start(case.encoded)
    out = torch.empty(case.queries * case.beams, VOCABULARY)
    backbone.logits(first)
    state = backbone.reorder(state, torch.arange(case.queries).repeat_interleave(case.beams), case.beams)
    for tokens, order in zip(case.tokens, case.orders, strict=True):
        hidden, state = backbone.step(state, tokens)
        logits = backbone.logits(hidden, out=out)
        state = backbone.reorder(state, order, case.beams)
    return logits, held([*state.past.layers, *state.memory.layers])


@torch.no_grad()
def theirs(backbone: EncoderDecoderBackbone, case: Case) -> tuple[torch.Tensor, int]:
    model = backbone.model
    encoded: EncodedSource = case.encoded.select(torch.arange(case.queries).repeat_interleave(case.beams))
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    fed = torch.zeros(len(encoded), 1, dtype=torch.int64)
    for tokens, order in zip([None, *case.tokens], [None, *case.orders], strict=True):
        logits = model(
            encoder_outputs=BaseModelOutput(encoded.states),
            attention_mask=encoded.mask.long(),
            decoder_input_ids=fed if tokens is None else tokens[:, None],
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        if order is not None:
            cache.reorder_cache(order)
    caches = (cache.self_attention_cache, cache.cross_attention_cache)
    return logits, held([(layer.keys, layer.values) for part in caches for layer in part.layers])


def held(layers: list[tuple[torch.Tensor, torch.Tensor]]) -> int:
    return sum(tensor.nbytes for layer in layers for tensor in layer)


def timed(run: Callable[[], tuple[torch.Tensor, int]], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--source", type=int, nargs="+", default=[32])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    backbone = build()
    print(
        "| beams | source | ours, CPU ms a step | transformers, CPU ms a step | ratio | caches, MB | largest difference |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for beams in options.beams:
        for source in options.source:
            case = Case(backbone, options.queries, beams, source, options.steps)
            (got, mine), (expected, other) = ours(backbone, case), theirs(backbone, case)
            difference = (got - expected).abs().max().item()
            times = [timed(lambda r=run, c=case: r(backbone, c), options.repeats) for run in (ours, theirs)]
            ms = [1000 * seconds / options.steps for seconds in times]
            print(
                f"| {beams} | {source} | {ms[0]:.1f} | {ms[1]:.1f} | {ms[1] / ms[0]:.2f} "
                f"| {mine / 1e6:.1f} / {other / 1e6:.1f} | {difference:.1e} |"
            )


if __name__ == "__main__":
    main()
