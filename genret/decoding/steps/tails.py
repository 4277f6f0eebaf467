"""Beams that have one completion: all of its tokens go through the model in one pass.

Knows a backbone and token ids; knows nothing of why there is only one completion.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genret.decoding.steps.candidates import Scorer
from genret.models.backbone import Backbone, DecoderState

__all__ = ["POSITIONS", "score_tails"]

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
    fed = torch.cat([last[:, None], tokens[:, :-1]], 1)
    if lengths is not None:
        fed = fed.scatter(1, (width - lengths)[:, None], last[:, None]).clamp(min=0)
    scores = []
    at_once = max(1, POSITIONS // width)
    for begin in range(0, len(rows), at_once):
        part = slice(begin, begin + at_once)
        part_lengths = None if lengths is None else lengths[part]
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
