"""Steps at which nothing is chosen: their tokens go through the model in one pass.

A run is what every live beam must take next: URLs below one address have one at their root, and a search with one beam
has many. A tail is what is left of a beam that has one completion. Knows a constraint, a backbone and token ids; knows
nothing of how a search chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from genret.constraint import Constraint, State
from genret.constraint.protocol import Counting
from genret.decoding.steps.beams import Beams
from genret.decoding.steps.candidates import Scorer
from genret.models.backbone import Backbone, DecoderState

__all__ = ["POSITIONS", "ForcedRun", "run_of", "score_tails"]


@dataclass(frozen=True)
class ForcedRun:
    """What all live beams must take next.

    Attributes:
        tokens: int64 [rows, n], n at least 1; no end token among them.
        state: of the constraint, behind them.
        sizes: for each query the number of successors behind them; see `Beams`.
    """

    tokens: Tensor
    state: State
    sizes: list[int]

    def behind(self, beams: Beams, log_probs: Tensor) -> Beams:
        """`beams` once they have taken the run, whose tokens have `log_probs`, float32 [rows, n]."""
        scores = beams.scores
        for column in log_probs.unbind(1):
            # Token by token, as single steps would add them.
            scores = scores + column
        return replace(
            beams,
            scores=scores,
            tokens=torch.cat([beams.tokens, self.tokens], 1),
            log_probs=torch.cat([beams.log_probs, log_probs], 1),
            state=self.state,
            sizes=self.sizes,
        )


def run_of(constraint: Constraint, beams: Beams, eos: int, most: int) -> ForcedRun | None:
    """The run that begins behind `beams`, of at most `most` tokens; None where there is none.

    That there is none costs nothing: the sizes of `beams` tell. Each token of a run waits for the device once.
    """
    if not isinstance(constraint, Counting) or beams.sizes is None:
        return None
    every = torch.arange(len(beams.tokens), device=beams.tokens.device)
    columns: list[Tensor] = []
    state, sizes = beams.state, beams.sizes
    while sum(sizes) == len(every) and len(columns) < most:
        found = constraint.successors(state, len(every))
        if len(found.tokens) != len(every):
            break  # a filter has left fewer
        single = (found.offsets[1:] == every + 1).all() & (found.tokens != eos).all()
        moved = constraint.advance(found, every)
        totals = torch.zeros_like(beams.numbers).index_add_(0, beams.positions, constraint.counts(moved))
        # Whether, and how many come next, in one transfer.
        forced, *next_sizes = torch.cat([single[None].to(totals), totals]).tolist()
        if not forced:
            break
        columns.append(found.tokens)
        state, sizes = moved, next_sizes
    return ForcedRun(torch.stack(columns, 1), state, sizes) if columns else None


# Tokens that go through the model together: enough for its matrix products, few enough for its activations.
POSITIONS = 4096


def score_tails(
    backbone: Backbone,
    scorer: Scorer,
    state: DecoderState,
    rows: Tensor,
    last: Tensor,
    tokens: Tensor,
    even: bool,
) -> Tensor:
    """The score of each token of the tails: float32 [rows, width], 0 where there is none.

    Args:
        backbone: the model.
        scorer: gives scores "full" or "raw".
        state: of the model, before the beams' last tokens were fed.
        rows: int64 [rows]; the row of `state` that each beam continues.
        last: int64 [rows]; the beams' last tokens.
        tokens: int64 [rows, width]; their tails, at the right end of each row, -1 before them.
        even: all tails fill their row.
    """
    width = tokens.shape[1]
    lengths = None if even else (tokens >= 0).sum(1)
    # The last token was chosen and not yet fed; a tail's own last token predicts nothing more.
    fed = torch.cat([last[:, None], tokens[:, :-1]], 1)
    if lengths is not None:
        # In shorter rows the tail begins later, and the last token with it: rows are aligned on the right.
        fed = fed.scatter(1, (width - lengths)[:, None], last[:, None]).clamp(min=0)
    scores = []
    at_once = max(1, POSITIONS // width)
    for begin in range(0, len(rows), at_once):
        part = slice(begin, begin + at_once)
        part_lengths = None if lengths is None else lengths[part]
        # The state is not kept: behind an end token nothing is asked.
        hidden, _ = backbone.step(backbone.reorder(state, rows[part]), fed[part], part_lengths)
        scores.append(_scored(scorer, hidden, tokens[part], even))
    return torch.cat(scores)


def _scored(scorer: Scorer, hidden: Tensor, tokens: Tensor, even: bool) -> Tensor:
    """Scores of `tokens` [rows, width] under hidden states [rows, width, d]; 0 where a token is -1."""
    if even:
        return scorer.known(hidden, tokens)
    places = (tokens.flatten() >= 0).nonzero().squeeze(1)
    wanted = tokens.flatten()[places]
    found = scorer.known(hidden.flatten(0, 1)[places], wanted)
    scores = torch.zeros(tokens.numel(), device=tokens.device)
    return scores.index_copy_(0, places, found).view(tokens.shape)
