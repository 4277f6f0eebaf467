"""vLLM's processor: docids alone come out of requests that name a constraint; others are not touched.

`LLM(..., logits_processors=["genret.engines.vllm:ConstraintProcessor"])`, or `--logits-processors` with that name;
installed packages are found by vLLM itself, too (entry point), which is enough where it does not schedule ahead. A
request names its constraint in `SamplingParams.extra_args`, over HTTP in `vllm_xargs`; see `docs/guide/engines.md`.
"""

from __future__ import annotations

import inspect
import logging
import weakref
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor as MovingProcessor
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as SlotProcessor

from genret.engines.batches import MovingRows, Slots, check_parameters
from genret.engines.constrained_rows import Rows
from genret.engines.named_sets import sets_here
from genret.engines.served_model import ServedModel
from genret.engines.vllm_beams import constrained_beam_search
from genret.errors import ArtefactError
from genret.models.served.vllm_engine import end_tokens

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.config import VllmConfig

__all__ = ["ConstraintProcessor", "constrained_beam_search"]

logger = logging.getLogger("vllm.genret")
# Of each engine the first processor: named and found by entry point, it is made twice, and one is enough.
_first: weakref.WeakValueDictionary[int, ConstraintProcessor] = weakref.WeakValueDictionary()
# What is known of the models of this process, by their configurations' identities, which are held so that they stay theirs.
_models: dict[int, tuple[Any, ServedModel]] = {}


def _served(config: Any) -> ServedModel:
    """What sets must fit, of vLLM's `ModelConfig`."""
    if id(config) not in _models:
        tokenizer = None if config.skip_tokenizer_init else str(config.tokenizer)
        facts = ServedModel.of(config.get_vocab_size(), end_tokens(config), tokenizer)
        _models[id(config)] = config, facts
    return _models[id(config)][1]


def _asked_for() -> ServedModel | None:
    """The model that a request came for: vLLM does not tell validators, but its method that calls them knows."""
    frame = inspect.currentframe()
    while frame is not None:
        model = getattr(frame.f_locals.get("self"), "model_config", None)
        if hasattr(model, "try_get_generation_config"):
            return _served(model)
        frame = frame.f_back
    return None


class ConstraintProcessor(MovingProcessor, SlotProcessor):  # type: ignore[misc]  # vLLM is not there when this is checked
    """For vLLM's runners V1 and V2, which make and call it.

    Raises:
        InputError, ArtefactError: what GENRET_CONSTRAINTS names cannot be opened.
    """

    def __init__(self, vllm_config: VllmConfig, *place: Any) -> None:
        self.config = vllm_config
        held = _first.get(id(vllm_config))
        self.idle = held is not None and held.config is vllm_config
        if self.idle:
            return
        _first[id(vllm_config)] = self
        drafts, model = vllm_config.speculative_config, _served(vllm_config.model_config)
        sets, ends = sets_here(), end_tokens(vllm_config.model_config)
        sets.open_all(model)
        most = 16 if drafts is None else max(16, drafts.num_speculative_tokens + 1)
        rows = Rows(sets, model.vocab_size, ends[0] if ends else None, logger.error, most)
        # V1 gives a device and whether memory is pinned, V2 the state of all requests.
        self.batch = MovingRows(rows) if len(place) == 2 else Slots(rows, place[0])

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Refuse a request that cannot be served, when it comes.

        Raises:
            ValueError: it names no constraint of this server or one of another model, or its condition or its
                max_tokens does not fit.
        """
        try:
            asked = check_parameters(sampling_params)
            if asked is not None:
                stops, most = sampling_params.stop_token_ids or (), sampling_params.max_tokens
                sets_here().check(asked, _asked_for(), stops=stops, max_tokens=most)
        except (ArtefactError, OSError) as error:
            raise ValueError(str(error)) from error

    def is_argmax_invariant(self) -> bool:
        """No: the likeliest token may be an illegal one."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """V1: the batch has changed."""
        if not self.idle:
            assert isinstance(self.batch, MovingRows)
            self.batch.update(batch_update)

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        """V2: a request takes a slot; whether this processor has to do with it."""
        if self.idle:
            return False
        assert isinstance(self.batch, Slots)
        return self.batch.add(req_idx, sampling_params)

    def apply(self, logits: torch.Tensor, ctx: Any = None) -> torch.Tensor:
        """Mask logits [rows, V] in place; V2 says by `ctx` which row is whose."""
        if not self.idle:
            if isinstance(self.batch, MovingRows):
                self.batch.apply(logits)
            else:
                self.batch.apply(logits, ctx)
        return logits
