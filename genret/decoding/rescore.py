"""The model's score of sequences that it did not generate: teacher forcing, many sequences of a query at once.

Knows a backbone and token ids; knows nothing of where the sequences come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch

from genret.decoding.steps.candidates import Scorer, log_sum_exp
from genret.decoding.steps.forced import score_tails
from genret.models.backbone import Backbone, Encoded

__all__ = ["Rescorer"]


class Rescorer:
    """Scores given sequences as the sums of their tokens' log-probabilities over the whole vocabulary.

    Sources are read once, when this is made.

    Attributes:
        first_tokens: float32 [queries, vocab_size]; the log-probability of every token as the first.
    """

    def __init__(self, backbone: Backbone, encoded: Encoded) -> None:
        """Read the sources: what the backbone's `encode` returned."""
        self.backbone = backbone
        with torch.inference_mode():
            hidden, self._state = backbone.start(encoded)
            logits = backbone.logits(hidden)
            self.first_tokens = logits - log_sum_exp(logits)[:, None]

    def scores(self, sequences: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """The score of each sequence of each query; every sequence has one token or more.

        Sequences of one length go through the model together, whosever they are, so that none is padded.
        """
        flat = [
            (len(tokens), query, place)
            for query, row in enumerate(sequences)
            for place, tokens in enumerate(row)
        ]
        found = [[0.0] * len(row) for row in sequences]
        for length, group in groupby(sorted(flat), key=lambda entry: entry[0]):
            members = [(query, place) for _, query, place in group]
            tokens = [sequences[query][place] for query, place in members]
            for (query, place), score in zip(members, self._scores(members, tokens, length), strict=True):
                found[query][place] = score
        return found

    @torch.inference_mode()
    def _scores(
        self, members: Sequence[tuple[int, int]], tokens: Sequence[Sequence[int]], length: int
    ) -> list[float]:
        """The scores of sequences of one length, and of the queries that `members` begin with."""
        device = self.first_tokens.device
        wanted = torch.tensor(tokens, dtype=torch.int64, device=device)
        rows = torch.tensor([query for query, _ in members], device=device)
        sums = self.first_tokens[rows, wanted[:, 0]]
        if length > 1:
            scorer = Scorer(self.backbone, "full", self.backbone.eos_token_id, None)
            first, rest = wanted[:, 0], wanted[:, 1:]
            sums = sums + score_tails(self.backbone, scorer, self._state, rows, first, rest, True).sum(1)
        values: list[float] = sums.clamp(max=0).tolist()
        return values
