"""The workload of the decoding benchmarks: a model of T5's size with random weights, and docids by the million."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from docid.trie import DocidTrie
from genret.models.encoder_decoder import EncoderDecoderBackbone

EOS, PAD, VOCAB_SIZE = 1, 0, 32_128
FIRST_TOKEN = 3
SIZES = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
}


@dataclass(frozen=True)
class Sources:
    """Token ids of queries, int64 [queries, S], without padding."""

    input_ids: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        return torch.ones_like(self.input_ids)


def t5(size: str, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> EncoderDecoderBackbone:
    """A T5 of the given size with random weights."""
    torch.manual_seed(0)
    config = T5Config(vocab_size=VOCAB_SIZE, decoder_start_token_id=PAD, **SIZES[size])
    model: Any = T5ForConditionalGeneration(config).eval().to(device=device, dtype=dtype)
    return EncoderDecoderBackbone(model, ByT5Tokenizer(extra_ids=0))


def zipf_docids(count: int, length: int = 7, seed: int = 0) -> np.ndarray:
    """int32 [count, length]; the token of rank r is drawn with a probability proportional to 1 / r."""
    generator = np.random.default_rng(seed)
    ranks = np.arange(1, VOCAB_SIZE - FIRST_TOKEN + 1)
    cumulative = np.cumsum(1 / ranks)
    drawn = np.searchsorted(cumulative, generator.random((count, length)) * cumulative[-1], side="right")
    names = generator.permutation(len(ranks)) + FIRST_TOKEN
    return names[drawn].astype(np.int32)


def sources(queries: int, length: int, seed: int = 0, device: str = "cpu") -> Sources:
    """Queries of random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return Sources(torch.randint(FIRST_TOKEN, VOCAB_SIZE, (queries, length), generator=generator).to(device))


def trie_of(docids: np.ndarray) -> DocidTrie:
    return DocidTrie.build(docids, EOS)
