"""A linear index: every docid token has a vector, and a docid's score is the sum of its tokens' inner products.

Knows vectors of texts and docid tokens, and of a decoder how it starts. It is where the decoder of the frozen-encoder backbone
starts from: with its blocks silent that decoder computes exactly this, and this is cheap enough to train against
thousands of docids at every step. It is trained listwise against a dense teacher, whole docids and prefixes, from
vectors alone, and has no parameter that belongs to one passage. Raw sums rank better than anything normalised step by
step, so that such models are searched with `score: raw`; and since a docid is nearly worth the sum of its tokens, the
first step knows the outcome (`decoding/planning.py`). Where docids have words, these are part of every score that is
trained, so that codes learn what words leave open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse
import torch
from torch import Tensor, nn
from torch.nn import functional

from docid import DocidTable
from docid.ragged import Ragged, gather
from docid.simultaneous import SimultaneousScorer, WeightedTokens
from docid.strategies import Residual, Strategy
from genret.errors import InputError
from genret.models.frozen.docid_decoder import DocidDecoder
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.training.examples.batch import Batch, Trainable
from genret.training.linear_index.query_side import QuerySide, mapped
from genret.training.linear_index.teacher import DenseTeacher
from genret.training.losses.losses import LossSums
from genret.words import Words

__all__ = [
    "CodebookModel",
    "DocidPaths",
    "WordScores",
    "codebook_vectors",
    "fit_token_vectors",
    "quantiser_vectors",
    "start_from_codebooks",
    "sums_along",
]

# Each adds to the residual stream.
LAST_LAYERS = ("self_out", "cross_out", "feed_out")

FloatArray = npt.NDArray[np.float32]


class DocidPaths:
    """The docids of a table as paths over its own tokens, and the distinct prefixes of given lengths.

    Attributes:
        token_ids: int64 [tokens]; the model's id of each token that the docids use.
        paths: int64 [N, T]; each docid as positions in `token_ids`, padded with `len(token_ids)`.
        prefixes: for each length, which prefix each document has, int64 [N].
    """

    def __init__(self, table: DocidTable, prefix_lengths: Sequence[int] = ()) -> None:
        values, offsets = np.asarray(table.sequences.values), np.asarray(table.sequences.offsets)
        lengths = np.diff(offsets)
        used, positions = np.unique(values, return_inverse=True)
        paths = np.full((len(lengths), int(lengths.max(initial=0))), len(used), np.int64)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        paths[rows, np.arange(len(values)) - offsets[rows]] = positions
        self.token_ids = torch.from_numpy(used.astype(np.int64))
        self.paths = torch.from_numpy(paths)
        self.prefixes = {
            length: torch.from_numpy(np.unique(paths[:, :length], axis=0, return_inverse=True)[1].reshape(-1))
            for length in prefix_lengths
            if length < paths.shape[1]
        }


def fit_token_vectors(paths: DocidPaths, vectors: npt.NDArray[Any], *, ridge: float = 0.5) -> Tensor:
    """Token vectors whose sums along the docids are nearest to the documents' `vectors`: float32 [tokens, d].

    Least squares over all tokens at once, for any docids whatever. For residual quantisation this is the step
    that re-estimates its codebooks jointly (Martinez et al., "Revisiting Additive Quantization", ECCV 2016,
    section 3.2), which takes back a tenth of its error.
    """
    size = len(paths.token_ids)
    rows, positions = np.nonzero(paths.paths.numpy() < size)
    used = paths.paths.numpy()[rows, positions]
    counts = scipy.sparse.csr_array(
        (np.ones(len(rows), np.float32), (rows, used)), shape=(len(paths.paths), size)
    )
    gram = (counts.T @ counts).toarray()
    gram[np.diag_indices(size)] += ridge
    solved = scipy.linalg.solve(
        gram, counts.T @ np.asarray(vectors, np.float32), assume_a="pos", overwrite_a=True
    )
    return torch.from_numpy(np.ascontiguousarray(solved, np.float32))


def quantiser_vectors(strategy: Strategy | None, table: DocidTable, paths: DocidPaths) -> Tensor | None:
    """What the tokens stand for by the quantiser, float32 [tokens, d], where the docids are residual codes and no more.

    Later documents are coded by these.
    """
    if not isinstance(strategy, Residual) or strategy.state is None:
        return None
    of_levels = strategy.quantiser().code_vectors[: 1 if strategy.shared else None]
    vectors = of_levels.reshape(-1, of_levels.shape[-1])
    if len(vectors) != len(table.new_tokens):
        return None
    order = np.argsort(table.arrays.new_token_ids)
    places = np.searchsorted(table.arrays.new_token_ids[order], paths.token_ids.numpy())
    return torch.from_numpy(np.asarray(vectors[order[places]], np.float32))


def sums_along(paths: Tensor, tokens: Tensor) -> Tensor:
    """Sums [n, d] of the vectors `tokens` [tokens, d] along paths, int64 [n, T]."""
    table = functional.pad(tokens, (0, 0, 0, 1))
    summed: Tensor = functional.embedding_bag(paths, table, mode="sum", padding_idx=len(tokens))
    return summed


class CodebookModel(Trainable):
    """Scores a docid by `scale * unit(map @ q) . (sum of its tokens' vectors)`, and by its words; trained listwise.

    The loss is the cross-entropy between a teacher's distribution and the softmax of the scores, over a pool of
    passages that the whole batch shares (all its gold passages, all its nearest ones, and random ones): once over
    whole docids, and once for each prefix length over distinct prefixes, so that a beam search keeps what the
    whole docid will be worth (RIPOR's prefix-oriented ranking, Zeng et al., WWW 2024, section 3.3; codebooks
    trained by a ranking loss: Zhan et al., "Jointly Optimizing Query Encoder and Product Quantization", CIKM
    2021, section 4).

    Args:
        teacher: with the lexical scores of the docids' words, where they have any.
        side: where the query side starts; None: vectors as they are.
        tokens: where the tokens' vectors start, float32 [tokens, d]; None: nearest to the passages' by least squares.
    """

    def __init__(
        self,
        teacher: DenseTeacher,
        paths: DocidPaths,
        *,
        side: QuerySide | None = None,
        tokens: Tensor | None = None,
        random_passages: int = 512,
        seed: int = 0,
    ) -> None:
        super().__init__()
        start = side or QuerySide.untrained(teacher.passages.shape[1], teacher.temperature)
        if tokens is None:
            tokens = fit_token_vectors(paths, teacher.passages.numpy())
        self.tokens = nn.Parameter(tokens.clone())
        self.query_map = nn.Parameter(start.map.clone())
        self.log_scale = nn.Parameter(torch.tensor(math.log(start.scale)))
        self.log_words = nn.Parameter(torch.tensor(math.log(start.words)))
        self.teacher, self.paths = teacher, paths
        self.random_passages, self.seed = random_passages, seed

    def weight(self, batch: Batch) -> Tensor:
        """What the loss of the batch weighs."""
        return batch.weights[:, 0].sum()

    def forward(self, batch: Batch) -> LossSums:
        """The batch's loss; each example weighs as its first token does."""
        rows = self.teacher.rows(batch.sources)
        pool = self._pool(batch, rows)
        targets = self.teacher.targets(batch, rows, pool)
        hidden = self.queries(self.teacher.asked[rows])
        weights = batch.weights[:, 0]
        lexical = self.teacher.lexical(rows, pool)
        if lexical is not None:
            lexical = self.log_words.exp() * lexical
        losses = self._loss(hidden, self.paths.paths[pool], targets, lexical)
        for length, prefix in self.paths.prefixes.items():
            kept, group = torch.unique(prefix[pool], return_inverse=True)
            first = torch.full((len(kept),), len(pool)).scatter_reduce(
                0, group, torch.arange(len(pool)), "amin"
            )
            merged = torch.zeros(len(targets), len(kept)).index_add(1, group, targets)
            losses = losses + self._loss(hidden, self.paths.paths[pool[first], :length], merged)
        return LossSums((losses * weights).sum(), weights.sum())

    def queries(self, vectors: Tensor) -> Tensor:
        """Mapped query vectors [B, d], all of the same length, which is the scale.

        Normalised as the decoder does it, before the map and after it, so that training sees its scores.
        """
        return self.log_scale.exp() * mapped(vectors, self.query_map)

    @torch.no_grad()
    def side(self) -> QuerySide:
        """The query side as it is now."""
        numbers = self.log_scale.exp(), self.log_words.exp()
        return QuerySide(self.query_map.detach().clone(), *map(float, numbers))

    def documents(self, paths: Tensor) -> Tensor:
        """The sum of the token vectors along each path, [n, d]."""
        return sums_along(paths, self.tokens)

    def _loss(self, hidden: Tensor, paths: Tensor, targets: Tensor, lexical: Tensor | None = None) -> Tensor:
        scores = hidden @ self.documents(paths).T
        if lexical is not None:
            scores = scores + lexical
        return -(targets * torch.log_softmax(scores, dim=1)).sum(1)

    def _pool(self, batch: Batch, rows: Tensor) -> Tensor:
        """Passages to rank, ascending: a function of the batch and its step alone."""
        gold = batch.documents[batch.documents >= 0]
        pool: Tensor = torch.unique(
            torch.cat([self.teacher.neighbours[rows].flatten(), gold, self._drawn(batch.step)])
        )
        return pool

    def _drawn(self, step: int) -> Tensor:
        """Random passages of a step, with repeats."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        return torch.randint(0, len(self.teacher.passages), (self.random_passages,), generator=generator)


@torch.no_grad()
def start_from_codebooks(backbone: FrozenEncoderBackbone, index: CodebookModel) -> None:
    """Make the decoder's raw scores those of `index`, until it is trained further.

    The last layers of all blocks become zero, so that at first each block adds nothing. The map of the query
    vector becomes the decoder's condition, and the token vectors the rows of its output layer.

    Raises:
        InputError: the decoder's width is not that of the vectors, or its input and output rows are tied.
    """
    decoder: DocidDecoder = backbone.model.decoder
    width = index.tokens.shape[1]
    if decoder.dim != width or decoder.embed.weight is decoder.head.weight:
        raise InputError(
            f"a decoder that starts from codebooks needs d_model {width} and tie_word_embeddings false; found "
            f"d_model {decoder.dim}, tie_word_embeddings {backbone.model.config.tie_word_embeddings}."
        )
    _silence(decoder)
    decoder.condition.weight.copy_(index.query_map)
    decoder.condition.bias.zero_()
    # The final norm gives hidden states the length sqrt(d), whatever the query's was.
    scale = float(index.log_scale.exp())
    backbone.model.config.codebook_scale = scale
    factor = scale / width**0.5
    decoder.head.weight.zero_()
    decoder.head.weight[index.paths.token_ids] = (index.tokens * factor).to(decoder.head.weight)


@torch.no_grad()
def codebook_vectors(backbone: FrozenEncoderBackbone, token_ids: Tensor) -> Tensor | None:
    """The token vectors [n, d] that the decoder started from, for tokens int64 [n]; None: it started from noise.

    Those of a decoder that was trained since are what training made of them.
    """
    scale = backbone.model.config.codebook_scale
    if not scale:
        return None
    head = backbone.model.decoder.head.weight
    vectors: Tensor = head[token_ids.to(head.device)].float().cpu() * (head.shape[1] ** 0.5 / scale)
    return vectors


def _silence(decoder: DocidDecoder) -> None:
    """Blocks that add nothing, inputs that are the condition alone, a final norm without weights of its own."""
    for block in decoder.blocks:
        for name in LAST_LAYERS:
            for parameter in block.get_submodule(name).parameters():
                parameter.zero_()
    decoder.positions.weight.zero_()
    decoder.embed.weight.zero_()
    decoder.norm.weight.fill_(1.0)
    decoder.norm.bias.zero_()


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
