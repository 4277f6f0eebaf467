"""What many shards cost a search: successors and n-gram search over joined shards against one shard, in turns.

    python -m benchmarks.scale.search_index FOLDER --against FOLDER --queries CORPUS

FOLDER and the one it is compared with hold shards of `index_tokens`. Successors are asked for batches of 300 contexts
of 1 to 9 tokens each, drawn from the shards' passages and summed over lengths; n-gram search writes n-grams of up to
ten tokens with 15 beams for 20 of CORPUS's queries, by a T5-small with random weights, and scores passages by them.
CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.ngrams.speed import BEAMS, BODY, QUERIES, t5_small
from fm_index import FMIndex, ShardedFMIndex
from genret.corpus import read_queries
from genret.indexing import TextIndex
from genret.models import SentenceEncoder
from genret.retrieval.ngrams import NgramOptions, NgramRetriever
from genret.tokenizer.fingerprint import tokenizer_fingerprint

CONTEXTS, LENGTHS, TURNS = 300, range(1, 10), 5

Ints = npt.NDArray[np.int64]


class Unread(Sequence[Any]):
    """Stands for passages that nobody reads."""

    passage_ids = ()

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: Any) -> Any:
        from genret.corpus import Passage

        return Passage(str(row), "", "-")


@dataclass
class Side:
    """Joined shards."""

    folder: Path

    @cached_property
    def index(self) -> ShardedFMIndex:
        return ShardedFMIndex([FMIndex.load(path) for path in sorted(self.folder.glob("part-*.fmi"))])

    def contexts(self, random: np.random.Generator) -> list[tuple[Ints, Ints]]:
        """The rows of 300 contexts of each length: lo and hi [300, shards]."""
        found = []
        for length in LENGTHS:
            ranges = []
            for document in random.integers(0, self.index.num_documents, CONTEXTS).tolist():
                tokens = self.index.extract(document)
                begin = int(random.integers(0, len(tokens) - length))
                ranges.append(self.index.range(tokens[begin : begin + length]))
            lo, hi = zip(*ranges, strict=True)
            found.append((np.stack(lo), np.stack(hi)))
        return found

    @cached_property
    def retriever(self) -> NgramRetriever:
        tokenizer = SentenceEncoder.load(None).tokenizer
        count = self.index.num_documents
        meta = {"tokenizer": tokenizer_fingerprint(tokenizer)}
        text_index = TextIndex(self.index, Unread(count), np.zeros(count, np.int32), meta, self.folder)  # type: ignore[arg-type]
        return NgramRetriever(t5_small(tokenizer), text_index, NgramOptions(BODY, BEAMS, QUERIES))


def cpu_seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def successors(side: Side, contexts: list[tuple[Ints, Ints]]) -> list[float]:
    """Milliseconds of the batch of each length."""
    return [1000 * cpu_seconds(partial(side.index.successors, lo, hi)) for lo, hi in contexts]


def searches(side: Side, texts: list[str]) -> tuple[float, float]:
    """Milliseconds a query: the n-grams, and the passages by them."""
    made = side.retriever.maker.keys(texts, BEAMS, None)
    written = cpu_seconds(lambda: side.retriever.maker.keys(texts, BEAMS, None))
    scored = cpu_seconds(lambda: side.retriever.score(made, 10))
    return 1000 * written / len(texts), 1000 * scored / len(texts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    given = parser.parse_args()
    texts = [query.text for query in islice(read_queries(given.queries), QUERIES)]
    sides = [Side(given.folder), Side(given.against)]
    for side in sides:
        seconds = cpu_seconds(lambda side=side: side.index)  # type: ignore[misc]
        mapped = sum(path.stat().st_size for path in side.folder.glob("part-*.fmi"))
        print(
            f"{side.folder}: {len(side.index.shards)} shards, {side.index.num_tokens:,} tokens, {mapped:,} bytes "
            f"mapped, opened in {1000 * seconds:.0f} ms",
            flush=True,
        )
    asked = [side.contexts(np.random.default_rng(0)) for side in sides]
    times: list[list[list[float]]] = [[] for _ in sides]
    for _ in range(TURNS):
        for side, own, contexts in zip(sides, times, asked, strict=True):
            own.append(successors(side, contexts))
    for side, own in zip(sides, times, strict=True):
        each = [median(turn[place] for turn in own) for place in range(len(LENGTHS))]
        listed = ", ".join(f"{ms:.2f}" for ms in each)
        print(
            f"{side.folder}: {CONTEXTS} successors {sum(each):.1f} ms over lengths 1 to 9: {listed}",
            flush=True,
        )
    for side in sides:
        written, scored = searches(side, texts)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            f"{side.folder}: n-grams {written:.0f} ms a query, passages {scored:.0f} ms; peak {peak / 2**30:.2f} GiB "
            "resident so far, mapped pages included",
            flush=True,
        )


if __name__ == "__main__":
    main()
