"""The vectors of a corpus: given in a file, or an encoder's. Knows passages, an encoder and its cache; no docid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from genret.corpus.types import Passage
from genret.errors import InputError
from genret.jobs.cache_folder import default_cache
from genret.vectors.embedding import Encoder, embed_texts
from genret.vectors.npy_files import read_vectors

__all__ = ["passage_vectors"]


def passage_vectors(
    given: str | os.PathLike[str] | None, passages: Sequence[Passage], encoder: Encoder
) -> npt.NDArray[Any]:
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
