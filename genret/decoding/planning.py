"""One pass over all documents: what the first step and the query's words give to each, and the prefixes of the best.

Zeng et al., "Planning Ahead in Generative Retrieval: Guiding Autoregressive Generation through Simultaneous Decoding"
(PAG), SIGIR 2024, section 3: what a model's first step thinks of each token, summed over a document's tokens, is a
score that needs no search; the greatest below a prefix is that prefix's bonus. The tokens are those of the docid, and
the words of its set where it has one. Knows a backbone, a trie and sets of words; knows no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from docid.best_below import BestBelow
from docid.ragged import IntArray
from docid.simultaneous import LevelCodes, SimultaneousScorer, WeightedTokens, best_documents
from docid.words import WordSets
from genret.constraint import State, TrieConstraint
from genret.decoding.look_ahead import Bonus
from genret.models.backbone import Backbone, Encoded
from genret.models.exactness.company import ROWS
from genret.words import contradicted, doubts, emphases, told_apart

__all__ = ["AskedQueries", "Planned", "Planner", "first_step"]

FloatArray = npt.NDArray[np.float32]
# Scores that are held at a time: queries times documents.
MOST_SCORES = 1 << 26


class Planned(NamedTuple):
    """The best documents of one query by simultaneous scores, best first, equal scores in passage order.

    Attributes:
        documents: int64 [n].
        scores: float32 [n]; both parts.
    """

    documents: IntArray
    scores: FloatArray


@dataclass
class AskedQueries:
    """A batch of queries.

    Attributes:
        words: what each query's are worth; None where docids have none.
    """

    backbone: Backbone
    encoded: Encoded
    words: WeightedTokens | None = None

    @cached_property
    def logits(self) -> Tensor:
        """Of the first step, made once: float32 [queries, V]."""
        return first_step(self.backbone, self.encoded)


class Planner:
    """Simultaneous scores of all documents of one trie.

    Args:
        constraint: the docids.
        documents: how many there are; None: up to the last of the docids.
        codes: the same docids as codes of levels; None: they have none, or they are not known.
        words: of the same documents; None: docids alone.
        threads: that share the documents of a batch.
    """

    def __init__(
        self,
        constraint: TrieConstraint,
        documents: int | None = None,
        codes: LevelCodes | None = None,
        words: WordSets | None = None,
        threads: int | None = None,
    ) -> None:
        self.constraint = constraint
        self.num_documents = constraint.trie.document_end if documents is None else documents
        self._threads = torch.get_num_threads() if threads is None else threads
        self._scorer, self._level_tokens = None, None
        if codes is not None:
            self._level_tokens = torch.from_numpy(codes.tokens).to(constraint.device)
        if codes is not None or words is not None:
            own, width = (None, 0) if codes is None else (codes.codes, codes.tokens.shape[1])
            self._scorer = SimultaneousScorer(own, width, words, threads=self._threads)

    def documents(self, logits: Tensor, query: WeightedTokens | None = None) -> FloatArray:
        """The sums of the first step's logits (float32 [queries, V]) over each docid, and of the words it shares.

        The end token, which every docid has, is left out. Float32 [queries, documents].
        """
        if self._level_tokens is None or self._scorer is None:
            scores = self._by_leaf(logits)
        else:
            # A code that a level has not is never read; any column stands for it.
            tables = logits[:, self._level_tokens.clamp(min=0)].contiguous()
            scores = self._scorer.code_scores(tables.cpu().numpy())
        if query is not None and self._scorer is not None:
            self._scorer.add_word_scores(query, scores)
        return scores

    def words(self, query: WeightedTokens) -> FloatArray:
        """What the query's words alone give to each document, float32 [queries, documents]."""
        scores = np.zeros((len(query.offsets) - 1, self.num_documents), np.float32)
        if self._scorer is not None:
            self._scorer.add_word_scores(query, scores)
        return scores

    def emphasis(
        self, logits: Tensor, query: WeightedTokens, legal: npt.NDArray[np.bool_] | None = None
    ) -> FloatArray:
        """What each query's words are to be multiplied with, see `genret.words.emphasis`: float32 [queries].

        Args:
            logits: of the first step, float32 [queries, V].
            legal: bool [documents]; the documents that there are, None: all.
        """
        doubt, told, against = np.zeros((3, len(logits)), np.float32)
        for begin, end in self._parts(len(logits)):
            codes, words = self.documents(logits[begin:end]), self.words(query.part(begin, end))
            if legal is not None:
                codes, words = codes[:, legal], words[:, legal]
            doubt[begin:end] = doubts(codes)
            told[begin:end] = [told_apart(row) for row in words]
            against[begin:end] = [contradicted(*rows) for rows in zip(codes, words, strict=True)]
        return emphases(doubt, told > 0, against > 0)

    def best(
        self,
        logits: Tensor,
        k: int,
        query: WeightedTokens | None = None,
        legal: npt.NDArray[np.bool_] | None = None,
    ) -> list[Planned]:
        """The `k` best documents of each query among the `legal` (bool [documents]; None: all).

        Args:
            logits: of the first step, float32 [queries, V].
        """
        return [
            Planned(*best_documents(row, k, legal))
            for begin, end in self._parts(len(logits))
            for row in self.documents(logits[begin:end], None if query is None else query.part(begin, end))
        ]

    def plan(
        self,
        logits: Tensor,
        query: WeightedTokens | None = None,
        legal: npt.NDArray[np.bool_] | None = None,
    ) -> Bonus:
        """The best simultaneous score of a legal document below each prefix; a float for each query, node and docid.

        Args:
            logits: of the first step, float32 [queries, V].
        """
        scores = self.documents(logits, query)
        if legal is not None:
            scores[:, ~legal] = -np.inf
        return self.best_below(scores)

    def best_below(self, scores: FloatArray) -> Bonus:
        """The greatest of the `scores` (float32 [queries, documents]) of the documents that a prefix leads to."""
        best = torch.from_numpy(self._best_below(scores)).to(self.constraint.device)

        def bonus(queries: Tensor, prefixes: Tensor, states: State) -> Tensor:
            return best[queries, self.constraint.places(states)]

        return bonus

    @cached_property
    def _best_below(self) -> BestBelow:
        return BestBelow(self.constraint.trie, self.num_documents, threads=self._threads)

    def _by_leaf(self, logits: Tensor) -> FloatArray:
        """Sums along docids that are no codes of levels, whatever their lengths."""
        tokens, begins, leaf_of = self._leaves
        summed = functional.embedding_bag(tokens, logits.T.contiguous(), begins, mode="sum").T.cpu().numpy()
        return np.ascontiguousarray(np.where(leaf_of < 0, -np.inf, summed[:, leaf_of]), np.float32)

    @cached_property
    def _leaves(self) -> tuple[Tensor, Tensor, IntArray]:
        """The tokens of all leaves, where each leaf's begin, and the leaf of each document, -1 where it has none."""
        trie, device = self.constraint.trie, self.constraint.device
        sequences = trie.leaf_sequences()
        leaf_of = np.full(self.num_documents, -1, np.int64)
        leaf_of[trie.leaf_documents] = np.repeat(np.arange(trie.num_leaves), trie.leaf_sizes())
        tokens, begins = (
            torch.from_numpy(part).long() for part in (sequences.values, sequences.offsets[:-1])
        )
        return tokens.to(device), begins.to(device), leaf_of

    def _parts(self, queries: int) -> list[tuple[int, int]]:
        """Queries whose scores are held together."""
        size = max(1, MOST_SCORES // max(self.num_documents, 1))
        return [(begin, min(begin + size, queries)) for begin in range(0, queries, size)]


@torch.inference_mode()
def first_step(backbone: Backbone, encoded: Encoded) -> Tensor:
    """What a model thinks of each token before it has written any, the same bits alone and in company.

    A few queries are repeated to be `ROWS`, which costs next to nothing: the weights are read once. Float32
    [queries, V].
    """
    queries = len(encoded)
    if 0 < queries < ROWS:
        encoded = encoded.select(torch.arange(ROWS, device=backbone.device) % queries)
    return backbone.logits(backbone.start(encoded)[0])[:queries]
