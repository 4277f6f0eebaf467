"""Every docid strategy with small options, whether it shares docids by declaration, and a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from docid.quantisers.quantise import ResidualQuantiser
from docid.strategies import (
    Atomic,
    Keywords,
    Product,
    Residual,
    RqVae,
    Semantic,
    Strategy,
    String,
    Title,
    Url,
    WordsAlone,
)

__all__ = ["CASES", "Case", "tokenize"]


class Case(NamedTuple):
    """A strategy; `shares`: equal documents have one docid; `reads`: the field that tells documents apart."""

    make: Callable[[], Strategy]
    shares: bool = False
    reads: str = ""


def tokenize(texts: Sequence[str]) -> list[list[int]]:
    """Bytes, from 3 on."""
    return [[byte + 3 for byte in text.encode()] for text in texts]


def rqvae() -> RqVae:
    """An autoencoder that was "trained" to leave vectors of 8 dimensions as they are."""
    vectors = np.random.default_rng(5).normal(size=(300, 8)).astype(np.float32)
    strategy = RqVae(levels=2, codes=16, collisions="ordinal")
    strategy.take(
        [(np.eye(8, dtype=np.float32), np.zeros(8, np.float32))],
        ResidualQuantiser.fit(vectors, 2, 16, 0).codebooks,
    )
    return strategy


CASES = {
    "atomic": Case(Atomic),
    "string": Case(String),
    "digits": Case(lambda: String(digits=True)),
    "title": Case(Title, True, "titles"),
    "title-suffix": Case(lambda: Title(equal="suffix"), False, "titles"),
    "url": Case(Url, True, "urls"),
    "url-suffix": Case(lambda: Url(equal="suffix"), False, "urls"),
    "keywords": Case(lambda: Keywords(count=3), False, "texts"),
    "keywords-set": Case(lambda: Keywords(count=3, ordered=False, equal="share"), True, "texts"),
    "semantic": Case(lambda: Semantic(10, 100), False, "embeddings"),
    "semantic-small": Case(lambda: Semantic(4, 5), False, "embeddings"),
    "semantic-shared-tokens": Case(lambda: Semantic(4, 5, per_level=False), False, "embeddings"),
    "residual": Case(lambda: Residual(levels=3, codes=16), True, "embeddings"),
    "residual-next": Case(lambda: Residual(levels=2, codes=16, collisions="next"), False, "embeddings"),
    "residual-ordinal": Case(lambda: Residual(levels=2, codes=4, collisions="ordinal"), False, "embeddings"),
    "residual-shared": Case(lambda: Residual(levels=3, codes=8, shared=True), True, "embeddings"),
    "residual-balanced": Case(lambda: Residual(levels=3, codes=8, balanced=True), True, "embeddings"),
    "product": Case(lambda: Product(levels=2, codes=16), True, "embeddings"),
    "product-next": Case(lambda: Product(levels=2, codes=16, collisions="next"), False, "embeddings"),
    "rqvae": Case(rqvae, False, "embeddings"),
    "words": Case(WordsAlone, True),
}  # fmt: skip
