"""A full-text index of billions of tokens, shard by shard: time, memory and bytes of each, under a bound on memory.

    python -m benchmarks.scale.index_tokens CORPUS --tokenizer FOLDER --output FOLDER --tokens 118e6 --shards 18

The corpus is tokenised once; its tokens are then drawn anew (`resample`), as passages that begin with a title, and a
shard of them is indexed as it stands in memory: nothing of the source stream touches the disk. A shard that is there
is kept, so that the same line goes on after a kill; at the end the manifest joins all that there are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.scale.resample import Chain
from fm_index import FMIndex
from genret.corpus import read_passages
from genret.jobs.stages import Stages
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import text_ids

LOG = "shards.jsonl"
# Of a passage of 100 words, without its title.
PASSAGE_TOKENS = 140
BLOCK = 1 << 15
# Texts that are tokenised together.
BATCH = 4096

Ints = npt.NDArray[Any]


class Source:
    """A corpus's tokens: titles and texts, each as symbols and offsets."""

    def __init__(self, corpus: Path, tokenizer: str, kept: Path) -> None:
        if not kept.exists():
            _tokenise(corpus, tokenizer, kept)
        with np.load(kept) as arrays:
            self.vocabulary = int(arrays["vocabulary"])
            self.titles, self.title_offsets = arrays["titles"], arrays["title_offsets"]
            self.chain = Chain(arrays["texts"], arrays["text_offsets"])

    def passages(self, random: np.random.Generator, count: int) -> tuple[Ints, Ints]:
        """Tokens of so many passages, uint16, and their lengths."""
        rows = random.integers(0, len(self.title_offsets) - 1, count)
        begins, ends = self.title_offsets[rows], self.title_offsets[rows + 1]
        texts, _ = self.chain.draw(random, count, PASSAGE_TOKENS)
        parts: list[Ints] = []
        for begin, end, text in zip(begins.tolist(), ends.tolist(), texts, strict=True):
            parts += (self.titles[begin:end], text)
        return np.concatenate(parts).astype(np.uint16), ends - begins + PASSAGE_TOKENS


def _tokenise(corpus: Path, name: str, kept: Path) -> None:
    tokenizer = load_tokenizer(name)
    arrays: dict[str, Ints] = {"vocabulary": np.array(len(tokenizer))}
    passages = [passage for passage in read_passages(corpus) if passage.title and passage.text]
    for field in ("title", "text"):
        texts = [getattr(one, field) for one in passages]
        ids = (text_ids(tokenizer, texts[begin : begin + BATCH]) for begin in range(0, len(texts), BATCH))
        found = [np.array(one, np.int32) for batch in ids for one in batch if one]
        arrays[f"{field}s"] = np.concatenate(found)
        arrays[f"{field}_offsets"] = np.concatenate([[0], np.cumsum([len(one) for one in found])])
    np.savez(kept.with_suffix(".new.npz"), **arrays)
    kept.with_suffix(".new.npz").rename(kept)


def stream(source: Source, seed: int, shard: int) -> Iterator[tuple[Ints, Ints]]:
    """Blocks of passages without end, the same for a seed and a shard."""
    block = 0
    while True:
        yield source.passages(np.random.default_rng([seed, shard, block]), BLOCK)
        block += 1


def shard_tokens(source: Source, seed: int, shard: int, wanted: int) -> tuple[Ints, Ints]:
    """Whole passages of at least `wanted` tokens: tokens and offsets."""
    tokens, lengths, count = np.empty(wanted + BLOCK * 2 * PASSAGE_TOKENS, np.uint16), [], 0
    for part, own in stream(source, seed, shard):
        tokens[count : count + len(part)] = part
        lengths.append(own)
        count += len(part)
        if count >= wanted:
            break
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    bounds = bounds[: int(np.searchsorted(bounds, wanted)) + 1]
    return tokens[: bounds[-1]], bounds


def build(source: Source, given: argparse.Namespace, shard: int, path: Path) -> dict[str, float]:
    """Make a shard's tokens, and index them; what each took."""
    stages, used = Stages(), [time.process_time()]
    with stages.stage("draw"):
        tokens, offsets = shard_tokens(source, given.seed, shard, int(given.tokens))
    used.append(time.process_time())
    with stages.stage("index"):
        index = FMIndex.build(tokens, offsets, vocab_size=source.vocabulary)
    used.append(time.process_time())
    with stages.stage("save"):
        index.save(path, place=shard)
    used.append(time.process_time())
    facts: dict[str, float] = {"shard": shard, "tokens": len(tokens), "passages": len(offsets) - 1}
    for stage, cpu in zip(stages.finished, np.diff(used).tolist(), strict=True):
        facts |= {f"{stage.name} s": round(stage.seconds, 1), f"{stage.name} cpu s": round(cpu, 1)}
    peak = max(stage.peak_bytes for stage in stages.finished)
    return {**facts, "peak GiB": round(peak / 2**30, 2), "bytes": path.stat().st_size}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument(
        "--tokenizer", required=True, help="a folder or hub name, of fewer than 65,536 tokens"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tokens", type=float, default=118e6, help="of a shard")
    parser.add_argument("--shards", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    source = Source(given.corpus, given.tokenizer, given.output / "source.npz")
    for shard in range(given.shards):
        path = given.output / f"part-{shard:03d}.fmi"
        if path.exists():
            continue
        facts = build(source, given, shard, path)
        with (given.output / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")
        print(facts, flush=True)


if __name__ == "__main__":
    main()
