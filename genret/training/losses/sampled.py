"""Sampled softmax: the loss over a vocabulary of millions from the columns of a few thousand of its tokens.

An example's loss depends on the step's negatives, never on the other examples, so that a step's loss does not depend on
how it is divided. The tables of tokens are no part of DeepSpeed's partitions (`engines/row_adam.py`). Knows token ids,
how likely each is drawn, and backbones' hidden states; knows no optimizer.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from docid import DocidTable
from genret.models.backbone import Backbone
from genret.training.examples.batch import Batch, Encode
from genret.training.losses.losses import LossSums, sampled_cross_entropy

__all__ = ["Proposal", "ProposalName", "SampledSoftmax", "token_weights"]

ProposalName = Literal["uniform", "log-uniform", "unigram"]


class Proposal:
    """A distribution over tokens that negatives are drawn from, with replacement.

    Args:
        weights: float [V], above 0; probabilities up to a factor.
    """

    def __init__(self, weights: npt.ArrayLike) -> None:
        self._sums = torch.from_numpy(np.cumsum(np.asarray(weights, np.float64)))  # [V]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Tokens int64 [count]."""
        places = torch.rand(count, dtype=torch.float64, generator=generator) * self._sums[-1]
        return torch.searchsorted(self._sums, places, right=True).clamp(max=len(self._sums) - 1)

    def log_expected(self, tokens: Tensor, count: int) -> Tensor:
        """How often each token is drawn in `count` draws, on average: its logarithm, float32."""
        below = torch.where(tokens > 0, self._sums[tokens - 1], 0.0)
        return torch.log(count * (self._sums[tokens] - below) / self._sums[-1]).float()


def token_weights(name: ProposalName, vocab_size: int, table: DocidTable, eos: int) -> npt.NDArray[Any]:
    """What a proposal of this name gives each token, float64 [vocab_size].

    "uniform"; "log-uniform", for ids in the order of falling frequency (Zipf's law); "unigram": how often the token
    occurs in the docids of `table`, each closed by `eos`, and once more, so that every token can be drawn.
    """
    if name == "uniform":
        return np.ones(vocab_size)
    if name == "log-uniform":
        return np.log1p(1.0 / np.arange(1, vocab_size + 1))
    weights = 1.0 + np.bincount(table.sequences.values, minlength=vocab_size)
    weights[eos] += table.num_documents
    return weights


class SampledSoftmax:
    """Cross-entropy of a batch's targets against sampled negatives (see `sampled_cross_entropy`).

    All processes and micro-batches of a step draw the same negatives, and an example's loss does not depend on the
    others': so the loss of a step does not depend on how it is divided.
    """

    def __init__(self, proposal: Proposal, negatives: int, *, seed: int) -> None:
        self.proposal, self.negatives, self.seed = proposal, negatives, seed

    def __call__(self, backbone: Backbone, encode: Encode, batch: Batch) -> LossSums:
        real = batch.weights > 0
        hidden = backbone.target_states(encode(batch), batch.targets)[real]  # [n, d]
        targets, place = torch.unique(batch.targets[real], return_inverse=True)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + batch.step)
        drawn = self.proposal.draw(self.negatives, generator)
        expected = self.proposal.log_expected(drawn, self.negatives).to(hidden.device)
        drawn = drawn.to(hidden.device)
        scores = backbone.logits(hidden, torch.cat([targets, drawn]))  # [n, own and negatives]
        own = scores.gather(1, place[:, None])[:, 0]
        hits = drawn == targets[place][:, None]
        return sampled_cross_entropy(own, scores[:, len(targets) :] - expected, hits, batch.weights[real])
