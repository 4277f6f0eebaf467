"""SGLang's processor: one for all requests of a server, found by the name of its class.

A request carries `ConstraintProcessor.to_str()` as `custom_logit_processor`, and what it asks as
`custom_params={"genret": ...}`; the server is started with `--enable-custom-logit-processor` and
`--disable-overlap-schedule`, as it samples before it tells the last token otherwise. See `docs/guide/engines.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

import numpy as np
import torch
from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

from genret.engines.asked_constraint import KEY, Asked
from genret.engines.constrained_rows import UNSERVABLE, Row, Rows
from genret.engines.masking import keep_legal
from genret.engines.named_sets import sets_here

__all__ = ["ConstraintProcessor"]

logger = logging.getLogger("sglang.genret")
# Under which a request's parameters keep its row: they live as long as the request.
HELD = "__genret__"
REQUEST = "__req__"
DRAFTS = (
    "speculative decoding: SGLang does not say what it drafted; start it without --speculative-algorithm."
)
OVERLAP = "SGLang sampled a token that was masked, so that it told an older one: start it with --disable-overlap-schedule."


class Request(Protocol):
    """SGLang's, which it gives as `__req__`: a weak proxy, which nothing can be kept by.

    Attributes:
        sampling_params: its `max_new_tokens` are where the output is cut off; or None.
        to_finish: set, it ends the request after this step.
    """

    sampling_params: Any

    origin_input_ids: Sequence[int]
    output_ids: Sequence[int]
    to_finish: Any


class Followed:
    """A request's row, and how many of its output's tokens it is behind; given up with the request."""

    def __init__(self, rows: Rows, row: Row, prefix: list[int]) -> None:
        self.rows, self.row, self.prefix, self.taken = rows, row, prefix, 0

    def __del__(self) -> None:
        self.rows.end(self.row)

    def fresh(self, output: Sequence[int]) -> list[int]:
        """The tokens since the last step; where some were taken back, the row begins anew."""
        if len(output) < self.taken:
            self.rows.again([self.row], [self.prefix])
            self.taken = 0
        found = list(output[self.taken :])
        self.taken = len(output)
        return found


class ConstraintProcessor(CustomLogitProcessor):  # type: ignore[misc]  # SGLang is not there when this is checked
    """Masks logits [rows, V] of requests that name a constraint."""

    def __init__(self) -> None:
        self.rows: Rows | None = None

    def __call__(
        self, logits: torch.Tensor, custom_param_list: list[dict[str, Any]] | None = None
    ) -> torch.Tensor:
        """SGLang's call, once a step, for the rows of its requests; a request has several where it drafts tokens."""
        if self.rows is None:
            self.rows = Rows(sets_here(), logits.shape[1], None, logger.error)
        given = enumerate(custom_param_list or [])
        mine = [(row, params) for row, params in given if params and params.get(KEY) is not None]
        places: dict[int, list[int]] = {}
        for row, params in mine:
            places.setdefault(id(params), []).append(row)
        requests = {id(params): params for _, params in mine}
        for number, params in requests.items():
            if len(places[number]) > 1:
                params[HELD] = self._refused(self.rows, params[REQUEST], DRAFTS)
        held = {number: self._held(self.rows, params) for number, params in requests.items()}
        self._follow(self.rows, [(held[number], params[REQUEST]) for number, params in requests.items()])
        rows = np.array([row for row, _ in mine], np.int64)
        for legal in self.rows.allowed([held[id(params)].row for _, params in mine]):
            keep_legal(logits, rows, legal)
        return logits

    def _follow(self, rows: Rows, running: Sequence[tuple[Followed, Request]]) -> None:
        fresh = [held.fresh(request.output_ids) for held, request in running]
        dead = rows.follow([held.row for held, _ in running], fresh)
        for place in dead:
            _abort(running[place][1], OVERLAP)

    def _held(self, rows: Rows, params: dict[str, Any]) -> Followed:
        if HELD not in params:
            params[HELD] = self._begun(rows, params[REQUEST], params)
        held: Followed = params[HELD]
        return held

    def _begun(self, rows: Rows, request: Request, params: dict[str, Any]) -> Followed:
        try:
            asked = Asked.of(params)
            assert asked is not None
            rows.check(asked, request.sampling_params.max_new_tokens)
        except UNSERVABLE as error:
            return self._refused(rows, request, str(error))
        prompt = list(request.origin_input_ids)
        if len(prompt) < asked.prefix:
            return self._refused(rows, request, f"prefix: the prompt has fewer than {asked.prefix} tokens.")
        prefix = prompt[len(prompt) - asked.prefix :]
        return Followed(rows, rows.begin(asked, prefix), prefix)

    def _refused(self, rows: Rows, request: Request, reason: str) -> Followed:
        _abort(request, reason)
        return Followed(rows, rows.refuse(reason), [])


def _abort(request: Request, reason: str) -> None:
    """Let SGLang end the request after this step, and answer it with the reason."""
    from sglang.srt.managers.schedule_batch import FINISH_ABORT

    request.to_finish = FINISH_ABORT(reason, HTTPStatus.BAD_REQUEST, "BadRequestError")
