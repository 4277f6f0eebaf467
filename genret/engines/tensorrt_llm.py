"""TensorRT-LLM's processor: one a request, which is shown its beams, so that the engine's own beam search is exact.

`SamplingParams(use_beam_search=True, ..., logits_processor=ConstraintProcessor("titles"))`, with an `LLM` made with
`disable_overlap_scheduler=True`; see `docs/guide/engines.md`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from tensorrt_llm.sampling_params import LogitsProcessor

from genret.engines.asked_constraint import Asked
from genret.engines.constrained_rows import Row, Rows
from genret.engines.masking import keep_legal
from genret.engines.named_sets import sets_here

__all__ = ["ConstraintProcessor"]

logger = logging.getLogger("tensorrt_llm.genret")
# A processor may serve several requests, and is not told when one ends: so many are remembered.
REQUESTS = 4096
OVERLAP = (
    "TensorRT-LLM sampled a token that was masked, so that it told older ones: make the LLM with "
    "disable_overlap_scheduler=True. This request's docids are wrong."
)


@dataclass
class Followed:
    """A request: where its docid begins, and the beams of its last step by the docid's tokens so far."""

    begin: int
    beams: dict[tuple[int, ...], Row] = field(default_factory=dict)


class ConstraintProcessor(LogitsProcessor):  # type: ignore[misc]  # TensorRT-LLM is not there when this is checked
    """The constraint of a request, or of several; the engine sends it to its workers, which open the set themselves.

    Args:
        constraint, where, prefix: see `Asked`.

    Raises:
        InputError, ArtefactError: there is no such set, or the condition does not fit it.
    """

    def __init__(self, constraint: str, where: str | None = None, prefix: int = 0) -> None:
        self._begin(Asked(constraint, where, prefix))
        sets_here().check(self.asked)

    def _begin(self, asked: Asked) -> None:
        self.asked = asked
        self.rows: Rows | None = None
        self.requests: OrderedDict[int, Followed] = OrderedDict()

    def __getstate__(self) -> Asked:
        return self.asked

    def __setstate__(self, asked: Asked) -> None:
        self._begin(asked)

    def __call__(
        self,
        req_id: int,
        logits: torch.Tensor,
        token_ids: list[list[int]],
        stream_ptr: int | None,
        client_id: int | None,
    ) -> None:
        """The engine's call, once a step: logits [beams, 1, V], and each beam's tokens, prompt included."""
        stream: AbstractContextManager[object] = nullcontext() if stream_ptr is None else _stream(stream_ptr)
        with stream:
            flat = logits.view(-1, logits.shape[-1])
            if self.rows is None:
                self.rows = Rows(sets_here(), flat.shape[1], None, logger.error)
            request = self._request(self.rows, req_id, len(token_ids[0]))
            beams = [tuple(tokens[request.begin :]) for tokens in token_ids]
            self._follow(self.rows, request, beams)
            # Before it has beams, the engine shows the prompt once for all of them.
            places = np.arange(len(flat))
            rows = [request.beams[beams[place % len(beams)]] for place in places]
            for legal in self.rows.allowed(rows):
                keep_legal(flat, places, legal)

    def _request(self, rows: Rows, number: int, length: int) -> Followed:
        """What is known of a request; one that is new has `length` tokens of prompt."""
        if number not in self.requests:
            self.requests[number] = Followed(max(0, length - self.asked.prefix))
            if len(self.requests) > REQUESTS:
                for row in self.requests.popitem(last=False)[1].beams.values():
                    rows.end(row)
        self.requests.move_to_end(number)
        return self.requests[number]

    def _follow(self, rows: Rows, request: Followed, beams: Sequence[tuple[int, ...]]) -> None:
        """A row for each of the beams: behind its parent's, or else walked from the root."""
        before, request.beams = request.beams, {}
        for beam in dict.fromkeys(beams):
            parent = before.get(beam[:-1]) if beam else None
            request.beams[beam] = rows.begin(self.asked, beam) if parent is None else rows.copy(parent)
        moved = [beam for beam in request.beams if beam and beam[:-1] in before]
        if rows.follow([request.beams[beam] for beam in moved], [beam[-1:] for beam in moved]):
            logger.error(OVERLAP)
        for row in before.values():
            rows.end(row)


def _stream(pointer: int) -> AbstractContextManager[object]:
    """The engine's stream, by its number."""
    external: torch.cuda.Stream = torch.cuda.ExternalStream(pointer)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(external)
