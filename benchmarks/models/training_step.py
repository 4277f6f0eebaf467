"""One training step of the frozen encoder's decoder, on precomputed token states.

    python benchmarks/models/training_step.py [--batch 64] [--docid-tokens 8] [--states 32]

Random states of width 384 (all-MiniLM-L6-v2's), docids over 8 x 256 tokens; forward, backward, AdamW. Prints
CPU seconds per step on one thread, median of `--repeats`, for several sizes of decoder.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn import functional
from transformers import BertConfig, BertModel, ByT5Tokenizer

from genret.models.frozen.frozen_encoder import EncodedStates, FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder

WIDTH, CODES = 384, 256
SIZES = ((256, 2), (256, 3), (384, 2), (384, 3))


def build(dim: int, layers: int, positions: int) -> FrozenEncoderBackbone:
    config = BertConfig(vocab_size=400, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=12)
    encoder = SentenceEncoder(BertModel(config), ByT5Tokenizer(extra_ids=0), "random")
    shape = {"d_model": dim, "decoder_layers": layers, "decoder_heads": 4, "decoder_ffn_dim": 4 * dim}
    backbone = FrozenEncoderBackbone.build(encoder, **shape)
    backbone.extend_vocabulary([f"<{place}_{code}>" for place in range(positions) for code in range(CODES)])
    return backbone.train()


def step_time(backbone: FrozenEncoderBackbone, options: argparse.Namespace) -> float:
    shape = (options.batch, options.states)
    encoded = EncodedStates(
        torch.randn(*shape, WIDTH), torch.ones(shape, dtype=torch.bool), torch.randn(options.batch, WIDTH)
    )
    targets = torch.randint(3, backbone.vocab_size, (options.batch, options.docid_tokens))
    optimiser = torch.optim.AdamW([p for p in backbone.parameters() if p.requires_grad], lr=1e-3)
    seconds = []
    for _ in range(options.repeats + 1):
        begin = time.process_time()
        logits = backbone(encoded, targets)
        functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--docid-tokens", type=int, default=8)
    parser.add_argument("--states", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| d_model | layers | trained parameters, M | CPU seconds a step |")
    print("| --- | --- | --- | --- |")
    for dim, layers in SIZES:
        backbone = build(dim, layers, options.docid_tokens)
        trained = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
        print(f"| {dim} | {layers} | {trained / 1e6:.1f} | {step_time(backbone, options):.3f} |")


if __name__ == "__main__":
    main()
