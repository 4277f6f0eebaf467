"""The vectors that codebooks are trained on beside the passages': of the texts that lead to these.

Knows a sentence encoder and its cache; knows no docid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from genret.jobs.cache_folder import default_cache
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.examples.example import Example
from genret.vectors import embed_texts

__all__ = ["source_vectors"]


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
