"""Where an n-gram search's time goes, and its latency, with random weights of known sizes; prints a Markdown table.

    python benchmarks/ngrams/speed.py index TOKENIZER CORPUS INDEX      once: tokenise and index a corpus
    python benchmarks/ngrams/speed.py shares INDEX CORPUS               the parts of a batch's time, BART-base size
    python benchmarks/ngrams/speed.py latency INDEX CORPUS [MODEL ...]  queries a second, median and 99th percentile

CORPUS is a BEIR folder, whose queries are searched. Weights are random, so that what is generated means nothing, but
every step works on as many beams, successors and logits as a trained model's would. Times are this process's CPU
time on one thread for the shares (another process disturbs them little), and wall time for the latency.
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

import genret.ngrams.retriever as retriever_module
from genret.constraint import FMIndexConstraint
from genret.corpus import PassageStore, read_passages, read_queries
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.indexing.tokenizer import load_tokenizer
from genret.models import Backbone, EncoderDecoderBackbone, load_backbone
from genret.ngrams import NgramRetriever, NgramSettings, View

QUERIES, BEAMS, STEPS = 20, 15, 10
SINGLE = 40
BODY = {"body": View(length=STEPS)}


def bart_base(tokenizer: Any) -> Backbone:
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_bos_token_id=None,
    )
    return EncoderDecoderBackbone(BartForConditionalGeneration(config).eval(), tokenizer)


def t5_small(tokenizer: Any) -> Backbone:
    torch.manual_seed(0)
    special = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = T5Config(vocab_size=len(tokenizer), decoder_start_token_id=tokenizer.pad_token_id, **special)
    return EncoderDecoderBackbone(T5ForConditionalGeneration(config).eval(), tokenizer)


RANDOM: dict[str, Callable[[Any], Backbone]] = {"BART-base size": bart_base, "T5-small size": t5_small}


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


def index(tokenizer: str, corpus: str, folder: str) -> None:
    loaded = load_tokenizer(tokenizer)
    passages = PassageStore.build(read_passages(corpus))
    print(build_text_index(passages, loaded, folder, layout=Layout.of(loaded)))


def shares(folder: str, corpus: str) -> None:
    text_index = TextIndex.load(folder)
    tokenizer = load_tokenizer(str(Path(folder) / "tokenizer"))
    backbone = bart_base(tokenizer)
    made = NgramRetriever(backbone, text_index, NgramSettings(BODY, BEAMS, QUERIES))
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


def latency(folder: str, corpus: str, *models: str) -> None:
    text_index = TextIndex.load(folder)
    tokenizer = load_tokenizer(str(Path(folder) / "tokenizer"))
    print("| backbone | batch of 20, queries a second | batch 1, median ms | 99th percentile ms |")
    print("| --- | --- | --- | --- |")
    backbones = {name: make(tokenizer) for name, make in RANDOM.items()}
    backbones |= {name: load_backbone(name, template="{query}") for name in models}
    texts = [query.text for query in islice(read_queries(corpus), QUERIES + SINGLE)]
    for name, backbone in backbones.items():
        made = NgramRetriever(backbone, text_index, NgramSettings(BODY, BEAMS, QUERIES))
        made.search(texts[0])
        begin = time.perf_counter()
        made.batch_search(texts[:QUERIES])
        rate = QUERIES / (time.perf_counter() - begin)
        times = []
        for text in texts[QUERIES:]:
            begin = time.perf_counter()
            made.search(text)
            times.append((time.perf_counter() - begin) * 1000)
        print(
            f"| {name} | {rate:.2f} | {np.median(times):.0f} | {np.percentile(times, 99):.0f} |", flush=True
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"index": index, "shares": shares, "latency": latency}[sys.argv[1]](*sys.argv[2:])
