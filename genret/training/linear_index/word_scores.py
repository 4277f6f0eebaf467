"""The lexical part of scores beside vectors: what texts' words are worth to documents.

Knows the words of documents and of texts; knows no vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from docid.ragged import Ragged, gather
from docid.simultaneous import SimultaneousScorer, WeightedTokens
from genret.words import Words

__all__ = ["WordScores"]

FloatArray = npt.NDArray[np.float32]


class WordScores:
    """What the words of texts are worth to all documents, by the words' own weight.

    Args:
        words: of the documents.
        texts: whose words are asked for, by their numbers.
    """

    def __init__(self, words: Words, texts: Sequence[str]) -> None:
        self.words = words
        self._scorer = SimultaneousScorer(None, 0, words.sets, threads=torch.get_num_threads())
        self._asked = words.weighted(texts)

    def __call__(self, rows: Tensor) -> Tensor:
        """Scores of all documents for texts `rows` (int64 [n]): float32 [n, documents]."""
        begins = self._asked.offsets[rows.numpy()]
        counts = self._asked.offsets[rows.numpy() + 1] - begins
        own = gather(self._asked.tokens, begins, counts)
        weights = gather(self._asked.weights, begins, counts).values
        scores = np.zeros((len(rows), self._scorer.num_documents), np.float32)
        self._scorer.add_word_scores(_weighted(own, weights), scores)
        return torch.from_numpy(scores)


def _weighted(tokens: Ragged, weights: FloatArray) -> WeightedTokens:
    return WeightedTokens(tokens.offsets.astype(np.int64), tokens.values.astype(np.int64), weights)
