"""Where an n-gram search's time goes, and its latency, with random weights of known sizes; prints a Markdown table.

    python benchmarks/ngrams/speed.py shares INDEX CORPUS               the parts of a batch's time, BART-base size
    python benchmarks/ngrams/speed.py latency INDEX CORPUS COUNT MODEL  queries a second, median, 99th percentile

INDEX is an FM-index file, or a folder that `genret index build` wrote, over tokens of the packaged MiniLM's tokenizer;
CORPUS a BEIR folder, whose queries are searched, COUNT of them one by one; MODEL `bart-base` or `t5-small`, or a model
folder, which is searched on its own index, whatever INDEX is. Random weights mean nothing, but every step works on as
many beams, successors and logits as a trained model's would. Times are this process's CPU time on one thread: on an
idle machine that is the time that passes, and on a busy one it is disturbed less.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

import genret.retrieval.ngrams.ngram_retriever as retriever_module
from fm_index import FMIndex
from genret.constraint import FMIndexConstraint
from genret.corpus import Passage, PassageStore, read_queries
from genret.indexing import TextIndex
from genret.models import Backbone, EncoderDecoderBackbone, SentenceEncoder
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.ngrams import NgramOptions, NgramRetriever, View
from genret.tokenizer.fingerprint import tokenizer_fingerprint

QUERIES, BEAMS, STEPS = 20, 15, 10
BODY = {"body": View(length=STEPS)}


def bart_base(tokenizer: Any) -> Backbone:
    """BART-base's shape and vocabulary; its special tokens lie above all that an index holds."""
    torch.manual_seed(0)
    special = {"bos_token_id": 50262, "pad_token_id": 50263, "eos_token_id": 50264}
    config = BartConfig(
        vocab_size=50265,
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
        decoder_start_token_id=special["eos_token_id"],
        forced_bos_token_id=None,
        **special,
    )
    return EncoderDecoderBackbone(BartForConditionalGeneration(config).eval(), tokenizer)


def t5_small(tokenizer: Any) -> Backbone:
    """T5-small's shape and vocabulary."""
    torch.manual_seed(0)
    special = {"eos_token_id": 32127, "pad_token_id": 32126, "decoder_start_token_id": 32126}
    return EncoderDecoderBackbone(T5ForConditionalGeneration(T5Config(**special)).eval(), tokenizer)


RANDOM: dict[str, Callable[[Any], Backbone]] = {"bart-base": bart_base, "t5-small": t5_small}


def opened(place: str, tokenizer: Any) -> TextIndex:
    """The index with stand-ins for the passages, whose texts nobody reads here."""
    path = Path(place)
    index = TextIndex.load(path).index if path.is_dir() else FMIndex.load(path)
    passages = PassageStore.build(Passage(str(row), "", "-") for row in range(index.num_documents))
    lengths = np.zeros(len(passages), np.int32)
    return TextIndex(index, passages, lengths, {"tokenizer": tokenizer_fingerprint(tokenizer)}, path)


class Clock:
    """CPU time of named parts; calls of the wrapped functions do not nest."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.spent[name] += time.process_time() - begin

    def wrap(self, owner: Any, attribute: str, name: str) -> None:
        """Count the time of `owner.attribute` under `name`."""
        original = getattr(owner, attribute)

        def timed(*given: Any, **named: Any) -> Any:
            with self.part(name):
                return original(*given, **named)

        setattr(owner, attribute, timed)


def shares(place: str, corpus: str) -> None:
    tokenizer = SentenceEncoder.load(None).tokenizer
    made = NgramRetriever(bart_base(tokenizer), opened(place, tokenizer), NgramOptions(BODY, BEAMS, QUERIES))
    texts = [query.text for query in islice(read_queries(corpus), 2 * QUERIES)]
    made.batch_search(texts[QUERIES:], 10)  # once, so that files are read and buffers made
    clock = Clock()
    for name in ("start", "successors", "advance"):
        clock.wrap(FMIndexConstraint, name, "constraint")
    for name in ("encode", "start", "step", "logits", "reorder"):
        clock.wrap(EncoderDecoderBackbone, name, "model")
    clock.wrap(retriever_module, "score_passages", "scoring")
    begin = time.process_time()
    found = made.batch_search(texts[:QUERIES], 10)
    clock.spent["all"] = time.process_time() - begin
    assert all(found)
    clock.spent["search and the rest"] = clock.spent["all"] - sum(
        clock.spent[name] for name in ("constraint", "scoring", "model")
    )
    print("| part | seconds | share |\n| --- | --- | --- |")
    for name, seconds in clock.spent.items():
        print(f"| {name} | {seconds:.3f} | {seconds / clock.spent['all']:.1%} |")


def latency(place: str, corpus: str, count: str, name: str) -> None:
    texts = [query.text for query in islice(read_queries(corpus), QUERIES + int(count))]
    rate, times = timed(searched(place, name), texts)
    print("| backbone | batch of 20, queries a second | queries alone | median ms | 99th percentile ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| {name} | {rate:.2f} | {count} | {np.median(times):.0f} | {np.percentile(times, 99):.0f} |")


def searched(place: str, name: str) -> NgramRetriever:
    """A random model over the index at `place`, or the retriever that the folder `name` holds."""
    if name in RANDOM:
        tokenizer = SentenceEncoder.load(None).tokenizer
        return NgramRetriever(
            RANDOM[name](tokenizer), opened(place, tokenizer), NgramOptions(BODY, BEAMS, QUERIES)
        )
    found = load_retriever(name)
    assert isinstance(found, NgramRetriever), f"{name} emits no n-grams"
    return found.with_options(batch_size=QUERIES)


def timed(one: NgramRetriever, texts: list[str]) -> tuple[float, list[float]]:
    """Queries a second in a batch, and the milliseconds of each query alone."""
    one.search(texts[0])
    begin = time.process_time()
    one.batch_search(texts[:QUERIES])
    rate = QUERIES / (time.process_time() - begin)
    times = []
    for text in texts[QUERIES:]:
        begin = time.process_time()
        one.search(text)
        times.append((time.process_time() - begin) * 1000)
    return rate, times


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"shares": shares, "latency": latency}[sys.argv[1]](*sys.argv[2:])
