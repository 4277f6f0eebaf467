"""A short search without a search: beams split, dropped, reordered, fed one token, several, and unlike numbers.

Knows backbones and cases; knows nothing of what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genret.models.backbone import Encoded
from genret.models.exactness.cases import BEAMS, AnsweredCase

if TYPE_CHECKING:
    from genret.models.pretrained import PretrainedBackbone

__all__ = ["largest_difference"]

# How many tokens the five beams are fed together where rows may differ.
_UNEVEN = (1, 3, 2, 3, 1)
# The rows of the first step that the five beams continue: two of its six are dropped, one is continued twice.
_CONTINUED = (1, 0, 2, 2, 5)
_LAST = (4, 2, 0, 1, 3)


def largest_difference(backbone: PretrainedBackbone, asked: AnsweredCase) -> float:
    """The largest difference of any logit to transformers' own, in standard deviations of those.

    Cases that were joined are walked side by side, in the same number of steps.
    """
    case, walk = asked.case, _Walk(backbone, asked)
    each, beams = walk.each, range(len(case.streams))
    encoded = backbone.sources(case.sources)
    walk.compare_taught(encoded)
    hidden, state = backbone.start(encoded)
    walk.compare(hidden, each((0, 2, 4), 5), 0)
    state = backbone.reorder(state, walk.numbers(each((0, 0, 1, 1, 2, 2), 3)), 2)
    first = [case.streams[beam][0] for beam in each((1, 0, 2, 0, 4, 4), 5)]
    hidden, state = backbone.step(state, walk.numbers(first))
    continued, last = walk.numbers(each(_CONTINUED, 6)), each(_LAST, 5)
    walk.compare(hidden[continued], beams, 1)
    state = backbone.reorder(state, continued)
    hidden, state = backbone.step(state, walk.columns([1 for _ in beams], [1 for _ in beams])[:, 0])
    walk.compare(hidden, beams, 2)
    hidden, state = backbone.step(state, walk.columns([2 for _ in beams], [case.several for _ in beams]))
    for column in range(case.several):
        walk.compare(hidden[:, column], beams, 3 + column)
    fed = each(_UNEVEN if backbone.feeds_several else (1,) * 5, 0)
    lengths = walk.numbers(fed) if backbone.feeds_several else None
    hidden, state = backbone.step(state, walk.columns([2 + case.several for _ in beams], fed), lengths)
    for beam, count in enumerate(fed):
        for column in range(count):
            walk.compare(hidden[beam, column - count, None], [beam], 3 + case.several + column)
    state = backbone.reorder(state, walk.numbers(last))
    places = [2 + case.several + count for count in fed]
    hidden, state = backbone.step(state, walk.columns(places, [1 for _ in beams])[walk.numbers(last), 0])
    for row, beam in enumerate(last):
        walk.compare(hidden[row, None], [beam], places[beam] + 1)
    return walk.worst


class _Walk:
    def __init__(self, backbone: PretrainedBackbone, asked: AnsweredCase) -> None:
        self.backbone, self.case, self.truths = backbone, asked.case, asked.truths
        self.scales = [float(truth[truth.isfinite()].std()) for truth in asked.truths]
        self.worst = 0.0

    def numbers(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(values, device=self.backbone.device)

    def each(self, numbers: Sequence[int], stride: int) -> list[int]:
        """`numbers` of the first case, and of each that was joined to it, `stride` further on."""
        joined = len(self.case.streams) // len(BEAMS)
        return [number + stride * place for place in range(joined) for number in numbers]

    def columns(self, begins: list[int], counts: list[int]) -> Tensor:
        """The next `counts[b]` tokens of each beam from `begins[b]`, on the right of int64 [beams, most]."""
        width, pad = max(counts), self.backbone.pad_token_id
        beams = zip(self.case.streams, begins, counts, strict=True)
        return self.numbers([[pad] * (width - n) + stream[begin : begin + n] for stream, begin, n in beams])

    def compare(self, hidden: Tensor, beams: Sequence[int], place: int) -> None:
        """Hidden states [n, d] of some beams, against the truth after `place` tokens."""
        self._compare(self.backbone.logits(hidden), beams, [place] * len(hidden))

    def compare_taught(self, encoded: Encoded) -> None:
        """Teacher forcing of a beam of each source, of unlike lengths and padded."""
        beams, most = self.each((0, 2, 4), 5), len(self.case.streams[0])
        counts = self.each((most, most - 2, most - 1), 0)
        rows = [
            self.case.streams[beam][:count] + [self.backbone.pad_token_id] * (most - count)
            for beam, count in zip(beams, counts, strict=True)
        ]
        logits = self.backbone.target_logits(encoded, self.numbers(rows))
        for row, (beam, count) in enumerate(zip(beams, counts, strict=True)):
            self._compare(logits[row, :count], [beam] * count, list(range(count)))

    def _compare(self, found: Tensor, beams: Sequence[int], places: list[int]) -> None:
        for row, beam, place in zip(found, beams, places, strict=True):
            expected = self.truths[beam][place]
            off = torch.where(row == expected, 0, (row - expected).abs()).max()
            if bool(off > 0) or bool(off.isnan()):
                difference = float(off) / max(self.scales[beam], torch.finfo(torch.float32).tiny)
                self.worst = max(self.worst, difference) if difference == difference else float("inf")
