"""How a model of docids is searched: every option with its one default. Knows values; searches nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from genret.config import BeamCount, Count, Weight, check_bounds
from genret.decoding.steps.hypothesis import Score
from genret.errors import UsageError

__all__ = ["Mode", "SearchOptions"]

Mode = Literal["beam", "plan", "both"]


@dataclass(frozen=True)
class SearchOptions:
    """How a model is searched; stored with it, and with every run that it writes.

    Attributes:
        num_beams: beams per query; a search for more passages than this raises it.
        score: "full" (sum of log-softmax over the whole vocabulary), "renormalised" (over the legal successors only)
            or "raw" (sum of logits). None: "raw" in a recipe whose decoder starts from codebooks, which rank by raw
            sums; "full" everywhere else.
        length_penalty: scores are divided by length to this power; 0 leaves them as they are.
        batch_size: queries searched at a time.
        plan_ahead: let the sums of each docid's token scores, as the first step sees them, decide which beams stay
            alive (see `genret.decoding.planning`).
        mode: "beam" (constrained beam search), "plan" (all documents ranked by their simultaneous scores, no search; see
            `genret.decoding.planning`) or "both" (what either finds, ranked by the beam's own score). The words of docids
            count in each.
    """

    num_beams: BeamCount = 10
    score: Score | None = None
    length_penalty: Weight = 0.0
    batch_size: Count = 32
    plan_ahead: bool = False
    mode: Mode = "beam"

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise UsageError(f"mode is {self.mode!r}; expected one of {', '.join(get_args(Mode))}.")
        check_bounds(self)

    def scored(self, default: Score) -> SearchOptions:
        """The same with `default` as its score where none is given."""
        return self if self.score is not None else replace(self, score=default)

    def values(self) -> dict[str, Any]:
        """As plain values, for a manifest."""
        return asdict(self)
