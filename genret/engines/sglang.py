"""SGLang's processor: one for all requests of a server, found by the name of its class.

A request carries `ConstraintProcessor.to_str()` as `custom_logit_processor`, and what it asks as
`custom_params={"genret": ...}`; the server is started with `--enable-custom-logit-processor` and
`--disable-overlap-schedule`, as it samples before it tells the last token otherwise. See `docs/guide/engines.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

from genret.engines.asked_constraint import KEY, Asked
from genret.engines.constrained_rows import Row, Rows
from genret.engines.masking import keep_legal
from genret.engines.named_sets import Sets

__all__ = ["ConstraintProcessor"]

logger = logging.getLogger("sglang.genret")


class Request(Protocol):
    """SGLang's, which it gives as `__req__`."""

    origin_input_ids: Sequence[int]
    output_ids: Sequence[int]


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
        self.followed: WeakKeyDictionary[Any, Followed] = WeakKeyDictionary()

    def __call__(
        self, logits: torch.Tensor, custom_param_list: list[dict[str, Any]] | None = None
    ) -> torch.Tensor:
        """SGLang's call, once a step, for the rows of its requests."""
        if self.rows is None:
            self.rows = Rows(Sets.of_environment(), logits.shape[1], None, logger.error)
        given = enumerate(custom_param_list or [])
        mine = [(row, params) for row, params in given if params and params.get(KEY) is not None]
        held = [self._held(params) for _, params in mine]
        fresh = [one.fresh(params["__req__"].output_ids) for one, (_, params) in zip(held, mine, strict=True)]
        self.rows.follow([one.row for one in held], fresh)
        places = np.array([row for row, _ in mine], np.int64)
        for legal in self.rows.allowed([one.row for one in held]):
            keep_legal(logits, places, legal)
        return logits

    def _held(self, params: dict[str, Any]) -> Followed:
        request: Request = params["__req__"]
        if request not in self.followed:
            asked = Asked.of(params)
            assert self.rows is not None
            assert asked is not None
            prompt = list(request.origin_input_ids)
            prefix = prompt[len(prompt) - min(asked.prefix, len(prompt)) :]
            self.followed[request] = Followed(self.rows, self.rows.begin(asked, prefix), prefix)
        return self.followed[request]
