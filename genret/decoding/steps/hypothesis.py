"""What a search returns, and how it may be scored; knows token ids and document numbers, never text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from genret.errors import UsageError

__all__ = ["Hypothesis", "Score", "check_score"]

# full: log-softmax over the whole vocabulary, before the constraint (what the literature reports).
# renormalised: log-softmax over the legal successors of each prefix.
# raw: the logits themselves; sums of them admit no early stop.
Score = Literal["full", "renormalised", "raw"]


@dataclass(frozen=True)
class Hypothesis:
    """One finished token sequence.

    Attributes:
        tokens: the token ids, the end token included.
        score: what the hypotheses are ranked by: the sum of `token_log_probs`, divided by
            `len(tokens) ** length_penalty`.
        token_log_probs: the score of each token, the end token included; same length as `tokens`.
        documents: the numbers of the documents that the sequence identifies, in passage order.
    """

    tokens: list[int]
    score: float
    token_log_probs: list[float]
    documents: list[int]


def check_score(score: str) -> None:
    """Refuse a name that is not one of `Score`."""
    if score not in get_args(Score):
        raise UsageError(f"score is {score!r}; expected one of {', '.join(get_args(Score))}.")
