"""The vectors that codebooks are trained on: of passages, and of the texts that lead to them.

Knows a sentence encoder and its cache; knows no docid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from genret.corpus import PassageStore
from genret.errors import InputError
from genret.jobs.cache import default_cache
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.training.examples.example import Example
from genret.vectors import embed_texts, read_vectors

__all__ = ["passage_vectors", "source_vectors"]


def passage_vectors(given: str | None, passages: PassageStore, encoder: SentenceEncoder) -> npt.NDArray[Any]:
    """Unit vectors of all passages, float16 or float32 [N, d]: those in the file `given`, or computed and cached.

    Raises:
        InputError: the given file is not a matrix with a row for each passage.
    """
    if given is None:
        texts = [passage.full_text for passage in passages]
        return embed_texts(encoder, texts, cache=default_cache(), description="encoding passages")
    vectors = read_vectors(given)
    expected = (len(passages), encoder.dimension)
    if vectors.shape != expected:
        raise InputError(f"{given}: found shape {vectors.shape}, expected {expected}, a row a passage.")
    return vectors


def source_vectors(
    backbone: FrozenEncoderBackbone, sources: Mapping[str, Sequence[Example]]
) -> tuple[list[str], npt.NDArray[Any]]:
    """The texts of all sources and their unit vectors, cut as the backbone cuts what it reads.

    Each source is cached by itself, since few change at once.
    """
    texts: list[str] = []
    parts = []
    for name, examples in sources.items():
        own = list(dict.fromkeys(example.source for example in examples))
        vectors = embed_texts(
            backbone.sentence_encoder,
            own,
            max_length=backbone.model.config.max_source_tokens,
            cache=default_cache(),
            description=f"encoding {name}",
        )
        parts.append(vectors)
        texts += own
    return texts, np.concatenate(parts)
