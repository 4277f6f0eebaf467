"""Constraints inside other people's `generate()`: a logits processor, a prefix function, a whole decoder.

Knows transformers' calling conventions; knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor
from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateBeamEncoderDecoderOutput

from genret.constraint import Constraint, State, Successors
from genret.constraint.ragged import row_numbers
from genret.decoding.beam import beam_search
from genret.decoding.others.prefix_states import PrefixStates
from genret.decoding.steps.hypothesis import Hypothesis, Score
from genret.models.causal import CausalBackbone, EncodedPrompt
from genret.models.encoder_decoder import EncodedSource, EncoderDecoderBackbone
from genret.models.sharing.shared_attention import attention_restored

__all__ = ["ConstrainedLogitsProcessor", "constrained_generate", "prefix_allowed_tokens_fn"]


class ConstrainedLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """Leaves the scores of legal tokens and sets all others to -inf, for `generate(logits_processor=[...])`.

    Works for encoder-decoder and causal models, greedy, sampled and with beams, and may be used again for the
    next call. States are kept between steps and found again by the rows' tokens, as `generate` does not say how
    it reorders them. A row with nothing legal (a finished row, a filler) may emit the end token only: never an
    empty set.

    Args:
        constraint: what may come next; on the model's device.
        eos: the end token.
        prompt_length: tokens of each row before the docid: 1 for T5 (the start token), 2 for BART (a start
            token and a forced one), the padded prompt's length for causal models. When not given, the length of
            the first call's rows; a call whose rows do not continue those of the last starts anew.
    """

    def __init__(self, constraint: Constraint, eos: int, prompt_length: int | None = None) -> None:
        self.constraint = constraint
        self.eos = eos
        self.prompt_length = prompt_length
        self._states: PrefixStates | None = None

    def reset(self) -> None:
        """Forget the last generation."""
        self._states = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores [rows, V] of the token after `input_ids` [rows, t], as a new tensor."""
        if self.prompt_length is not None and input_ids.shape[1] < self.prompt_length:
            return scores
        if self._states is None or self._states.vocab_size != scores.shape[1]:
            self._states = PrefixStates(self.constraint, scores.shape[1], self.prompt_length)
        successors, states = self._states.successors(input_ids)
        if successors.everything:
            return scores
        sizes = successors.offsets.diff()
        # One row a state, and a last one, which dead rows (-1) read.
        legal = torch.zeros((len(sizes) + 1, scores.shape[1]), dtype=torch.bool, device=scores.device)
        legal[row_numbers(successors.offsets, len(successors.tokens)), successors.tokens] = True
        legal[:-1, self.eos] |= sizes == 0
        legal[-1, self.eos] = True
        return torch.where(legal[states], scores, -torch.inf)


def prefix_allowed_tokens_fn(
    constraint: Constraint, eos: int, prompt_length: int = 1
) -> Callable[[int, Tensor], list[int]]:
    """The constraint as `generate(prefix_allowed_tokens_fn=...)` takes it: one row a call.

    `ConstrainedLogitsProcessor` does the same for all rows at once and is faster. The function remembers the
    prefixes that it has been asked about; make a new one for other docids.

    Args:
        constraint: what may come next, on the CPU.
        eos: the end token; all that is allowed where nothing is legal.
        prompt_length: tokens of each row before the docid; of the padded prompt for a causal model.
    """
    known: dict[tuple[int, ...], tuple[State, Successors]] = {}

    def reached(prefix: tuple[int, ...]) -> tuple[State, Successors] | None:
        if prefix not in known:
            state = constraint.start(1)
            if prefix:
                before = reached(prefix[:-1])
                edge = None if before is None else _edge(before[1], prefix[-1])
                if before is None or edge is None:
                    return None
                state = constraint.advance(before[1], edge)
            known[prefix] = state, constraint.successors(state)
        return known[prefix]

    def allowed(_: int, ids: Tensor) -> list[int]:
        found = reached(tuple(ids[prompt_length:].tolist()))
        return (found[1].tokens.tolist() if found else []) or [eos]

    return allowed


def _edge(successors: Successors, token: int) -> Tensor | None:
    """The entry of `token` among the successors of one row, int64 [1]."""
    if successors.everything:
        return torch.tensor([token])
    place = (successors.tokens == token).nonzero().squeeze(1)
    return place if len(place) else None


def constrained_generate(
    constraint: Constraint, score: Score = "full", **options: Any
) -> Callable[..., Tensor | GenerateBeamEncoderDecoderOutput | GenerateBeamDecoderOnlyOutput]:
    """Our beam search inside `generate`: `model.generate(**inputs, num_beams=10, custom_generate=this)`.

    `num_beams`, `num_return_sequences`, `length_penalty`, `max_new_tokens` and `return_dict_in_generate` of the
    call are obeyed. Sequences are returned as `generate` does, `num_return_sequences` rows a query, best first;
    where there are fewer docids, the rows left over hold padding only and score -inf.

    Args:
        constraint: what may come next; on the model's device.
        score: see `beam_search`. `length_penalty` of `generate` is 1 unless set: pass 0 for sums.
        options: further arguments of `beam_search`.
    """

    def generate(
        model: Any, input_ids: Tensor, generation_config: GenerationConfig, **kwargs: Any
    ) -> Tensor | GenerateBeamEncoderDecoderOutput | GenerateBeamDecoderOnlyOutput:
        config = generation_config
        most = config.max_length - input_ids.shape[1] if config.max_length is not None else None
        with attention_restored(model):
            backbone, encoded, prompts = _encoded(model, input_ids, kwargs, config)
            found = beam_search(
                backbone,
                encoded,
                constraint,
                config.num_beams,
                config.num_return_sequences,
                score,
                config.length_penalty,
                max_length=most,
                **options,
            )
        return _as_generated(found, prompts, config, backbone.pad_token_id, model.config.is_encoder_decoder)

    return generate


def _encoded(
    model: Any, input_ids: Tensor, kwargs: dict[str, Any], config: GenerationConfig
) -> tuple[Any, Any, Tensor]:
    """The model as a backbone, what it reads of each query, and what precedes each query's docids.

    `generate` has repeated every query for its beams: one of each is taken.
    """
    times = max(config.num_beams, config.num_return_sequences)
    mask = kwargs.get("attention_mask")
    if model.config.is_encoder_decoder:
        encoder = EncoderDecoderBackbone(model, None)
        states = kwargs["encoder_outputs"].last_hidden_state
        mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask
        start = torch.tensor([encoder.prefix], device=input_ids.device)
        return (
            encoder,
            EncodedSource(states[::times], mask[::times].bool()),
            start.expand(len(input_ids) // times, -1),
        )
    causal = CausalBackbone(model, None)
    mask = torch.ones_like(input_ids) if mask is None else mask
    return causal, EncodedPrompt(input_ids[::times], mask[::times].bool()), input_ids[::times]


def _as_generated(
    found: list[list[Hypothesis]], prompts: Tensor, config: GenerationConfig, pad: int, encoder_decoder: bool
) -> Any:
    """Hypotheses as `generate` returns them: prompt and tokens of each, filled up with padding."""
    count = config.num_return_sequences
    rows = [row + [None] * (count - len(row)) for row in found]
    width = max((len(h.tokens) for row in found for h in row), default=0)
    tokens = torch.full((len(found) * count, width), pad, device=prompts.device)
    scores = torch.full((len(found) * count,), -torch.inf, device=prompts.device)
    for place, hypothesis in enumerate(h for row in rows for h in row):
        if hypothesis is not None:
            tokens[place, : len(hypothesis.tokens)] = torch.tensor(hypothesis.tokens)
            scores[place] = hypothesis.score
    sequences = torch.cat([prompts.repeat_interleave(count, 0), tokens], 1)
    if not config.return_dict_in_generate:
        return sequences
    output = GenerateBeamEncoderDecoderOutput if encoder_decoder else GenerateBeamDecoderOnlyOutput
    return output(sequences=sequences, sequences_scores=scores)
