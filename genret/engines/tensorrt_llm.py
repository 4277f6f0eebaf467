"""TensorRT-LLM's processor: one a request, which is shown its beams, so that the engine's own beam search is exact.

`SamplingParams(use_beam_search=True, ..., logits_processor=ConstraintProcessor("titles"))`; see `docs/guide/engines.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from tensorrt_llm.sampling_params import LogitsProcessor

from genret.engines.asked_constraint import Asked
from genret.engines.constrained_rows import Row, Rows
from genret.engines.masking import keep_legal
from genret.engines.named_sets import Sets

__all__ = ["ConstraintProcessor"]

logger = logging.getLogger("tensorrt_llm.genret")


class ConstraintProcessor(LogitsProcessor):  # type: ignore[misc]  # TensorRT-LLM is not there when this is checked
    """The constraint of one request.

    Args:
        constraint, where, prefix: see `Asked`.

    Raises:
        InputError, ArtefactError: there is no such set, or the condition does not fit it.
    """

    def __init__(self, constraint: str, where: str | None = None, prefix: int = 0) -> None:
        self.asked, self.sets = Asked(constraint, where, prefix), Sets.of_environment()
        self.sets.check(self.asked)
        self.rows: Rows | None = None
        self.begin: int | None = None
        # The beams of the last step, by the docid's tokens so far.
        self.beams: dict[tuple[int, ...], Row] = {}

    def __call__(
        self,
        req_id: int,
        logits: torch.Tensor,
        token_ids: list[list[int]],
        stream_ptr: int | None,
        client_id: int | None,
    ) -> None:
        """The engine's call, once a step: logits [..., beams, V], and each beam's tokens, prompt included."""
        stream: AbstractContextManager[object] = nullcontext() if stream_ptr is None else _stream(stream_ptr)
        with stream:
            flat = logits.view(-1, logits.shape[-1])
            if self.rows is None:
                self.rows = Rows(self.sets, flat.shape[1], None, logger.error)
            if self.begin is None:
                self.begin = len(token_ids[0]) - self.asked.prefix
            beams = [tuple(tokens[self.begin :]) for tokens in token_ids]
            self._follow(self.rows, beams)
            # Before it has beams, the engine shows the prompt once for all of them.
            places = np.arange(len(flat))
            rows = [self.beams[beams[place % len(beams)]] for place in places]
            for legal in self.rows.allowed(rows):
                keep_legal(flat, places, legal)

    def _follow(self, rows: Rows, beams: Sequence[tuple[int, ...]]) -> None:
        """A row for each of the beams: behind its parent's, or else walked from the root."""
        before, self.beams = self.beams, {}
        for beam in dict.fromkeys(beams):
            parent = before.get(beam[:-1]) if beam else None
            self.beams[beam] = rows.begin(self.asked, beam) if parent is None else rows.copy(parent)
        moved = [beam for beam in self.beams if beam and beam[:-1] in before]
        rows.follow([self.beams[beam] for beam in moved], [beam[-1:] for beam in moved])
        for row in before.values():
            rows.end(row)


def _stream(pointer: int) -> AbstractContextManager[object]:
    """The engine's stream, by its number."""
    external: torch.cuda.Stream = torch.cuda.ExternalStream(pointer)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(external)
