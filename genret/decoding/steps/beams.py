"""The live beams of a search as flat arrays, and the limits that they obey; knows nothing of how they grow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from genret.constraint import State
from genret.constraint.ragged_tensors import row_numbers
from genret.decoding.steps.hypothesis import Score, check_score
from genret.errors import UsageError

__all__ = ["Beams", "Limits"]


@dataclass(frozen=True)
class Limits:
    """How many hypotheses, how long, and how length counts.

    Attributes:
        num_beams: live beams of a query.
        num_return: hypotheses of a query, at most `num_beams`; as many as beams when not given.
        min_length, max_length: tokens of a hypothesis, the end token included.
        length_penalty: scores are divided by length ** this; 0 leaves the sums.
        early_stop: a query is done once `ceiling` is below its last place.
        counted_before: tokens before the hypotheses that count in `length_penalty`'s length.
        free_last_end: the end token at `max_length` costs nothing, as nothing else may come there.
    """

    num_beams: int
    num_return: int
    min_length: int
    max_length: int | None
    length_penalty: float
    early_stop: bool
    counted_before: int = 0
    free_last_end: bool = False

    @classmethod
    def of(
        cls,
        num_beams: int,
        num_return: int | None,
        score: Score,
        length_penalty: float,
        min_length: int,
        max_length: int | None,
    ) -> Limits:
        """The limits of a beam search.

        Raises:
            UsageError: a number is out of its range, or there is no such score.
        """
        check_score(score)
        returned = num_beams if num_return is None else num_return
        if num_beams < 1:
            raise UsageError(f"num_beams is {num_beams}; expected at least 1.")
        if not 1 <= returned <= num_beams:
            raise UsageError(
                f"num_return is {returned}; expected 1 to num_beams ({num_beams}): raise num_beams."
            )
        if max_length is not None and max_length < max(1, min_length):
            raise UsageError(
                f"max_length is {max_length}; expected at least 1 and at least min_length ({min_length})."
            )
        return cls(num_beams, returned, min_length, max_length, length_penalty, score != "raw")

    def ranked(self, totals: Tensor, lengths: int | Tensor) -> Tensor:
        """The key of hypotheses of `lengths` tokens; -inf where that is too short or too long."""
        if isinstance(lengths, int):
            lengths = torch.full_like(totals, lengths)
        counted = lengths + self.counted_before
        keys = totals if self.length_penalty == 0 else totals / counted**self.length_penalty
        outside = lengths < self.min_length
        if self.max_length is not None:
            outside |= lengths > self.max_length
        return keys.masked_fill(outside, -torch.inf)

    def ceiling(self, totals: Tensor, length: int) -> Tensor:
        """The greatest key that beams of `length` tokens with these `totals` can still reach.

        Proof that a query that is done once this is below f, the key in the last of its `num_return` places, loses no
        hypothesis: let s be the greatest of its live beams' totals. (1) A beam's sum never rises: each token adds a
        log-probability, at most 0; and every later beam continues a live one. So every later hypothesis has a sum of
        at most s. (2) Its key is that sum / length ** penalty. Without a penalty that is at most s. With a positive
        one, as sums are at most 0, the key grows with the length, and is at most s / max_length ** penalty, or 0
        where no length is given; with a negative one it falls with the length, and is at most s / (the next
        length) ** penalty. (3) If that bound is below f, every later hypothesis ranks below the last place. Equality
        does not stop the search, as ties are ordered by tokens. Raw logits may be positive, so (1) fails and raw
        scores never stop early.
        """
        if self.length_penalty == 0:
            return totals
        if self.length_penalty < 0:
            return totals / float((length + 1 + self.counted_before) ** self.length_penalty)
        return (
            torch.zeros_like(totals)
            if self.max_length is None
            else totals / float((self.max_length + self.counted_before) ** self.length_penalty)
        )


@dataclass(frozen=True)
class Beams:
    """The live beams of the queries that are still searched.

    Attributes:
        queries: the number in the batch of each of these queries.
        bounds: query i has the rows `bounds[i]:bounds[i + 1]`, ascending in their tokens.
        scores: float32 [rows]; sums of `log_probs`.
        tokens, log_probs: [rows, t].
        state: of the constraint.
        sizes: for each query the number of successors of its beams, or more; None where the constraint cannot
            count.
        fed: int64 [rows]; the row of the model's state and hidden states that belongs to each beam, or -1 for a
            beam that needs none; None where they are the same.
        extra: float32 [rows, n]; what the strategy carries along, or None.
    """

    queries: list[int]
    bounds: list[int]
    scores: Tensor
    tokens: Tensor
    log_probs: Tensor
    state: State
    sizes: list[int] | None
    fed: Tensor | None = None
    extra: Tensor | None = None

    @classmethod
    def first(
        cls, queries: int, state: State, sizes: list[int] | None, extra: Tensor | None, device: torch.device
    ) -> Beams:
        """One beam without tokens for each query."""
        rows = list(range(queries + 1))
        tokens = torch.zeros((queries, 0), dtype=torch.int64, device=device)
        log_probs = torch.zeros((queries, 0), device=device)
        scores = torch.zeros(queries, device=device)
        return cls(rows[:-1], rows, scores, tokens, log_probs, state, sizes, extra=extra)

    @property
    def length(self) -> int:
        """Tokens so far."""
        return self.tokens.shape[1]

    @property
    def width(self) -> int:
        """The most beams of a query."""
        return max(last - first for first, last in pairwise(self.bounds))

    @cached_property
    def numbers(self) -> Tensor:
        """`queries` on the device."""
        return torch.tensor(self.queries, device=self.tokens.device)

    @cached_property
    def starts(self) -> Tensor:
        """`bounds` on the device."""
        return torch.tensor(self.bounds, device=self.tokens.device)

    @cached_property
    def positions(self) -> Tensor:
        """int64 [rows]; the position in `queries` of each row's query."""
        return row_numbers(self.starts, len(self.tokens))
