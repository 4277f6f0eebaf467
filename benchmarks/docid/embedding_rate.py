"""The sentence encoder's rate, and its share of what one core's matrix products reach.

    OMP_NUM_THREADS=1 python benchmarks/docid/embedding_rate.py CORPUS [--passages 1024] [--max-length 64]

Arithmetic is counted for the tokens that are read, padding left out: the linear layers and attention of a BERT
encoder. The peak is the fastest of several square products.
"""

from __future__ import annotations

import argparse
import time
from itertools import islice

import torch

from genret.corpus import read_passages
from genret.models.frozen.sentence_encoder import SentenceEncoder

PEAK_SIZE = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--passages", type=int, default=1024)
    parser.add_argument("--max-length", type=int, default=64)
    options = parser.parse_args()
    encoder = SentenceEncoder.load()
    texts = [passage.full_text for passage in islice(read_passages(options.corpus), options.passages)]
    encoder.embed(texts[:64], options.max_length)
    begin = time.perf_counter()
    encoder.embed(texts, options.max_length)
    seconds = time.perf_counter() - begin
    lengths = [
        len(ids)
        for ids in encoder.tokenizer(texts, truncation=True, max_length=options.max_length)["input_ids"]
    ]
    rate = arithmetic(encoder, lengths) / seconds / 1e9
    best = peak()
    print(f"{len(texts) / seconds:,.1f} passages/s, {sum(lengths) / seconds:,.0f} tokens/s")
    print(f"{rate:.1f} GFLOP/s of {best:.1f}: {rate / best:.0%}")


def arithmetic(encoder: SentenceEncoder, lengths: list[int]) -> float:
    """Floating-point operations of the encoder's products over texts of these many tokens."""
    config = encoder.model.config
    width, inner = config.hidden_size, config.intermediate_size
    linear = 2 * sum(lengths) * (4 * width * width + 2 * width * inner)
    attention = 4 * width * sum(length * length for length in lengths)
    return float(config.num_hidden_layers * (linear + attention))


def peak() -> float:
    """GFLOP/s of a square float32 product, the best of five."""
    left, right = torch.rand(PEAK_SIZE, PEAK_SIZE), torch.rand(PEAK_SIZE, PEAK_SIZE)
    best = 0.0
    for _ in range(5):
        begin = time.perf_counter()
        left @ right
        best = max(best, 2 * PEAK_SIZE**3 / (time.perf_counter() - begin) / 1e9)
    return best


if __name__ == "__main__":
    main()
