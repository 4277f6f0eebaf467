"""Models and sets for the tests in engines: a tiny random Llama, 100,000 docids, an index of text, a model folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_ngrams import marked_t5
from transformers import LlamaConfig, LlamaForCausalLM

from docid import DocidTable, DocidTrie
from genret.corpus import Passage, PassageStore
from genret.indexing import build_text_index
from genret.indexing.layout import Layout
from genret.models import CausalBackbone
from genret.retrieval import GenerativeRetriever

EOS, VOCAB, TITLES, PASSAGES = 1, 1024, 100_000, 2000
PROCESSOR = "genret.engines.vllm:ConstraintProcessor"


def say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """What was measured, past pytest, which shows nothing of tests that pass."""
    with capsys.disabled():
        sys.stderr.write(f"\n{line}\n")


def tokenizer() -> Any:
    """Bytes, with two marks for the fields of an index."""
    return marked_t5().tokenizer


def tiny_llama(folder: Path, own: Any = None) -> CausalBackbone:
    """Heads of width 64, as vLLM's attention on the CPU asks for; weights that tell tokens apart. For bytes, or for a
    tokenizer of its `own`."""
    torch.manual_seed(0)
    eos = EOS if own is None else own.eos_token_id
    config = LlamaConfig(
        vocab_size=VOCAB if own is None else len(own),
        hidden_size=128,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=eos,
        eos_token_id=eos,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(3)
    backbone = CausalBackbone(model, own or tokenizer(), template="{query}")
    backbone.save_pretrained(folder)
    return backbone


def titles(count: int = TITLES) -> list[list[int]]:
    """Docids of 2 to 7 tokens, the first ones shared by many."""
    random = np.random.default_rng(7)
    lengths = random.integers(2, 8, count)
    tokens = np.minimum(3 + random.zipf(1.3, int(lengths.sum())), VOCAB - 1)
    return [part.tolist() for part in np.split(tokens, lengths.cumsum()[:-1])]


def title_trie(path: Path) -> DocidTrie:
    trie = DocidTrie.build(titles(), EOS)
    trie.save(path)
    return trie


def passages(count: int = PASSAGES) -> list[Passage]:
    random = np.random.default_rng(3)
    words = ["river", "rome", "city", "of", "the", "alps", "lies", "near", "zebra", "stripes", "in", "france"]
    return [
        Passage(f"p{n}", f"{words[n % 12]} {n}", " ".join(random.choice(words, 12)), metadata={"n": n})
        for n in range(count)
    ]


def text_index(folder: Path, tokens: Sequence[str] = ()) -> None:
    """Made with the tiny model's tokenizer, or with one that has more tokens."""
    marked = tokenizer()
    marked.add_tokens(list(tokens))
    build_text_index(PassageStore.build(passages()), marked, folder, layout=Layout.of(marked))


def docid_model(folder: Path, backbone: CausalBackbone) -> GenerativeRetriever:
    """A model folder whose passages have a field, for conditions."""
    store, own = PassageStore.build(passages()), titles(PASSAGES)
    table = DocidTable.build([" ".join(map(str, one)) for one in own], own)
    retriever = GenerativeRetriever(backbone, table, store)
    retriever.save_pretrained(folder)
    return retriever
