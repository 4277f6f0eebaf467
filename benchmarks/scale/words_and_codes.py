"""Ten million documents of words and codes: assignment from made vectors, table, trie, words, and searching them.

    python -m benchmarks.scale.words_and_codes [--documents 10000000] --output FOLDER

Vectors are normal around 4,096 centres; codes are residual, 32 levels of 256, learned from a sample; words are Zipf's,
as in `benchmarks.docid.simultaneous`. The model is a T5-small with random weights. CPU seconds of one thread; peak
memory counts mapped pages.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import T5Config, T5ForConditionalGeneration

from benchmarks.docid.simultaneous import LIMIT, postings
from benchmarks.scale.search_index import Unread, cpu_seconds
from docid import DocidTable, DocidTrie
from docid.strategies import DocumentFields, Residual
from docid.words import LEVEL_BITS, WordSets, WordStatistics
from genret.jobs.stages import peak_memory_bytes
from genret.models import EncoderDecoderBackbone, SentenceEncoder
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.words import words_of

LEVELS, CODES, DIMENSIONS, CENTRES, SAMPLE = 32, 256, 32, 4096, 20_000
PART = 1 << 16
QUERIES = ["who wrote the song that was played at the end", "where is the longest river of the north"] * 5
MODES: dict[str, SearchOptions] = {
    "plan": SearchOptions(mode="plan"),
    "beam": SearchOptions(mode="beam"),
    "both": SearchOptions(mode="both"),
}


def t5_small(tokenizer: Any) -> EncoderDecoderBackbone:
    """T5-small's shape with a tokenizer's vocabulary, which codes can follow."""
    torch.manual_seed(0)
    pad, eos = tokenizer.pad_token_id, tokenizer.sep_token_id
    config = T5Config(
        vocab_size=len(tokenizer), pad_token_id=pad, eos_token_id=eos, decoder_start_token_id=pad
    )
    return EncoderDecoderBackbone(T5ForConditionalGeneration(config).eval(), tokenizer)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Say what a stage took, and what the process holds then."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    pages = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    print(
        f"{name}: {time.process_time() - cpu:.1f} s of CPU ({time.perf_counter() - wall:.1f} s), then resident "
        f"{pages / 2**30:.2f} GiB, peak {peak_memory_bytes() / 2**30:.2f}",
        flush=True,
    )


def vectors(part: int, count: int, centres: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Of the documents of a part."""
    random = np.random.default_rng([1, part])
    rows = random.integers(0, len(centres), count)
    return (centres[rows] + random.normal(size=(count, DIMENSIONS)) / 2).astype(np.float32)


def table_of(documents: int) -> DocidTable:
    """Docids of made vectors."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, DIMENSIONS))
    strategy = Residual(levels=LEVELS, codes=CODES)
    sample = vectors(-1 % (1 << 32), SAMPLE, centres)
    with stage("learning the codes"):
        strategy.fit(DocumentFields(SAMPLE, embeddings=sample))
    with stage("assigning them"):
        begins = range(0, documents, PART)
        parts = [
            strategy.encode(vectors(begin // PART, min(PART, documents - begin), centres)) for begin in begins
        ]
        codes = np.concatenate(parts)
    nothing = np.broadcast_to(np.zeros(DIMENSIONS, np.float32), (documents, DIMENSIONS))
    with stage("table"):
        return strategy.assign(DocumentFields(documents, embeddings=nothing, codes=codes))


def sets_of(documents: int, vocabulary: int) -> WordSets:
    """Sets of words, Zipf's."""
    random, share = np.random.default_rng(0), 1 / np.arange(1, vocabulary + 1)
    share = np.minimum(share * LIMIT / share.sum(), 0.5)
    lists = [postings(random, documents, one) for one in share]
    counts = np.array(list(map(len, lists)), np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    statistics = WordStatistics(counts, documents, float(LIMIT))
    # Each at the greatest of its levels.
    postings_of_all = np.concatenate(lists) << LEVEL_BITS | ((1 << LEVEL_BITS) - 1)
    return WordSets(offsets, postings_of_all, documents, LIMIT, statistics)


def make(documents: int, folder: Path) -> None:
    """Everything that a search reads, in files."""
    tokenizer = SentenceEncoder.load(None).tokenizer
    table = table_of(documents)
    backbone = t5_small(tokenizer)
    bound = table.bind(backbone.extend_vocabulary(table.new_tokens))
    with stage("saving the table"):
        bound.save(folder / "docids.table")
    with stage("trie"):
        bound.trie(backbone.eos_token_id).save(folder / "docids.trie")
    del table, bound
    with stage("words"):
        sets_of(documents, len(SentenceEncoder.load(None).tokenizer)).save(folder / "docids.words")


def search(folder: Path) -> None:
    """Load all, and ask."""
    encoder = SentenceEncoder.load(None)
    backbone = t5_small(encoder.tokenizer)
    with stage("loading the table"):
        table = DocidTable.load(folder / "docids.table")
    with stage("loading the trie"):
        trie = DocidTrie.load(folder / "docids.trie")
    with stage("loading the words"):
        words = words_of(WordSets.load(folder / "docids.words"), SentenceEncoder.load(None).tokenizer)
    backbone.extend_vocabulary(table.new_tokens)
    print(f"files: {sum(path.stat().st_size for path in folder.iterdir()) / 1e9:.2f} GB", flush=True)
    passages: Any = Unread(table.num_documents)
    for mode, options in MODES.items():
        retriever = GenerativeRetriever(backbone, table, passages, trie=trie, words=words, options=options)
        ask: Callable[[], object] = partial(retriever.batch_search, QUERIES, 10)
        with stage(f"{mode}: first"):
            ask()
        times = [1000 * cpu_seconds(ask) / len(QUERIES) for _ in range(3)]
        print(f"{mode}: {median(times):.0f} ms a query in batches of {len(QUERIES)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000_000)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    if not (given.output / "docids.words").exists():
        make(given.documents, given.output)
    else:
        search(given.output)


if __name__ == "__main__":
    main()
