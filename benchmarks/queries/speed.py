"""Queries sampled for passages, tokens a second: this library against transformers' `generate`, in turns.

    python benchmarks/queries/speed.py CORPUS [--passages 16] [-n 5] [--rounds 2]

Both draw from the same model (SmolLM2 of its package) with the default prompt, top-k, nucleus and temperature, in the
same batches of passages of similar length, in one thread and one process; tokens are counted up to each text's end.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from genret.cli.corpus.queries import PROMPT
from genret.cli.writer_options import WriterOptions
from genret.corpus import read_passages
from genret.decoding.batching import batches_by_tokens
from genret.queries.sampler import Sampling, sample_tokens

SOURCE_TOKENS = 400


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    texts = [one.full_text for one in islice(read_passages(arguments.corpus), arguments.passages)]
    backbone: Any = WriterOptions(None, "causal", None, PROMPT, "{passage}", SOURCE_TOKENS).load()
    sampling = Sampling(per_source=arguments.n)
    contenders: dict[str, Callable[[], int]] = {
        "genret": lambda: _count(sample_tokens(backbone, texts, sampling)),
        "transformers": lambda: _count(_generate(backbone, texts, sampling)),
    }
    read = sum(backbone.source_lengths(texts))
    print(f"{len(texts)} passages, {read} tokens of prompts, {arguments.n} texts each")
    for turn in range(arguments.rounds):
        for name, draw in contenders.items():
            begin, wall = time.process_time(), time.monotonic()
            drawn = draw()
            seconds, wall = time.process_time() - begin, time.monotonic() - wall
            print(
                f"round {turn + 1}, {name}: {drawn} tokens in {seconds:.1f} s of CPU time ({wall:.1f} s): "
                f"{drawn / seconds:.1f} tokens/s, {len(texts) / seconds:.2f} passages/s",
                flush=True,
            )


def _generate(backbone: Any, texts: Sequence[str], sampling: Sampling) -> list[list[list[int]]]:
    """What transformers samples: it copies every prompt for each of its texts before it reads them."""
    line_end = backbone.tokenizer("\n", add_special_tokens=False)["input_ids"][-1]
    stops = [backbone.eos_token_id, line_end]
    found = []
    for places in batches_by_tokens(backbone.source_lengths(texts), sampling.batch_tokens):
        encoded = backbone.encode([texts[place] for place in places])
        with torch.inference_mode():
            made = backbone.model.generate(
                input_ids=encoded.input_ids,
                attention_mask=encoded.mask.long(),
                do_sample=True,
                num_return_sequences=sampling.per_source,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                temperature=sampling.temperature,
                max_new_tokens=sampling.max_tokens,
                eos_token_id=stops,
                pad_token_id=backbone.pad_token_id,
            )
        rows = made[:, encoded.input_ids.shape[1] :].tolist()
        found.append([_cut(row, stops) for row in rows])
    return found


def _cut(tokens: list[int], stops: Sequence[int]) -> list[int]:
    ends = [place for place, token in enumerate(tokens) if token in stops]
    return tokens[: ends[0]] if ends else tokens


def _count(texts: Sequence[Sequence[Sequence[int]]]) -> int:
    """Tokens drawn, each text's end included."""
    return sum(len(text) + 1 for of_source in texts for text in of_source)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--passages", type=int, default=16)
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
