"""Constraints inside other people's `generate()`: a logits processor, a prefix function, a whole decoder.

Knows transformers' calling conventions; knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor
from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateBeamEncoderDecoderOutput

from genret.constraint import Constraint, State, Successors
from genret.constraint.ragged_tensors import row_numbers
from genret.decoding.others.asked import Asked
from genret.decoding.others.generate_arguments import check_call, check_config, check_inputs
from genret.decoding.others.rows_by_tokens import RowsByTokens
from genret.decoding.steps.hypothesis import Score
from genret.errors import UsageError
from genret.models.language_model import LanguageModel
from genret.models.sharing.shared_attention import attention_restored

__all__ = ["ConstrainedLogitsProcessor", "constrained_generate", "prefix_allowed_tokens_fn"]


class ConstrainedLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """Leaves the scores of legal tokens and sets all others to -inf, for `generate(logits_processor=[...])`.

    Works for encoder-decoder and causal models, greedy, sampled and with beams, and may be used again for the
    next call. States are kept between steps and found again by the rows' tokens, as `generate` does not say how
    it reorders them. A row with nothing legal (a finished row, a filler), or all of whose legal tokens another
    argument of `generate` forbids, may emit the end token only: never an empty set.

    Args:
        constraint: what may come next; on the model's device.
        eos: the end token.
        prompt_length: tokens of each row before the docid: 1 for T5 (the start token), 2 for BART (a start
            token and a forced one), the padded prompt's length for causal models. When not given, the length of
            the first call's rows, and a token that is forced behind a start token; a call whose rows do not
            continue those of the last starts anew.
    """

    def __init__(self, constraint: Constraint, eos: int, prompt_length: int | None = None) -> None:
        self.constraint = constraint
        self.eos = eos
        self.prompt_length = prompt_length
        self._states: RowsByTokens | None = None

    def reset(self) -> None:
        """Forget the last generation."""
        self._states = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores [rows, V] of the token after `input_ids` [rows, t], as a new tensor."""
        if self.prompt_length is not None and input_ids.shape[1] < self.prompt_length:
            return scores
        if self._states is None or self._states.vocab_size != scores.shape[1]:
            self._states = RowsByTokens(self.constraint, scores.shape[1], self.prompt_length)
        if (
            input_ids.shape[1] == 1
            and self.prompt_length is None
            and bool((scores > -torch.inf).sum() == len(scores))
        ):
            return scores  # one token a row: `forced_bos_token_id`, which comes before the docids
        successors, states = self._states.successors(input_ids)
        if successors.everything:
            return scores
        sizes = successors.offsets.diff()
        # One row a state, and a last one, which dead rows (-1) read.
        legal = torch.zeros((len(sizes) + 1, scores.shape[1]), dtype=torch.bool, device=scores.device)
        legal[row_numbers(successors.offsets, len(successors.tokens)), successors.tokens] = True
        legal[:-1, self.eos] |= sizes == 0
        legal[-1, self.eos] = True
        left = torch.where(legal[states], scores, -torch.inf)
        # Where others have forbidden all that is legal, the end alone, as unlikely as a number can say.
        dead = (left == -torch.inf).all(1)
        left[:, self.eos] = left[:, self.eos].masked_fill(dead, torch.finfo(scores.dtype).min)
        return left


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

    Every argument of the call, and every field of the generation configuration, the model's own included, is
    obeyed or refused by name (`generate_arguments.py` has the table). Sequences are returned as `generate` does,
    `num_return_sequences` rows a query, best first; where there are fewer docids, the rows left over hold padding
    only and score -inf. Docids that do not fit into `max_length` are not returned: `generate` would cut them.

    Args:
        constraint: what may come next; on the model's device.
        score: see `beam_search`. `length_penalty` of `generate` is 1 unless set: pass 0 for sums.
        options: further arguments of `beam_search`: `look_ahead`, and `prefixes` and `filters`, one entry a query.

    Raises:
        UsageError: in the call: it asks for what our search does not do.
    """
    if given := options.keys() - {"prefixes", "filters", "look_ahead"}:
        raise UsageError(f"{', '.join(sorted(given))}: say it to `generate`, not to `constrained_generate`.")

    def generate(
        model: LanguageModel,
        input_ids: Tensor,
        generation_config: GenerationConfig,
        inputs_tensor: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor | GenerateBeamEncoderDecoderOutput | GenerateBeamDecoderOnlyOutput:
        check_config(generation_config)
        check_call()
        assert inputs_tensor is not None  # `generate` gives what it encoded to a function that names it
        del kwargs["logits_processor"], kwargs["stopping_criteria"]
        check_inputs(kwargs, kwargs.get("attention_mask"), model.config.is_encoder_decoder)
        with attention_restored(model), _asked_for(model, generation_config):
            asked = Asked.of(model, input_ids, inputs_tensor, generation_config, kwargs, constraint)
            return asked.answer(asked.search(constraint, score, **options))

    return generate


@contextmanager
def _asked_for(model: LanguageModel, config: GenerationConfig) -> Iterator[None]:
    """The call's special tokens in place of the model's own, where a backbone looks for them."""
    own = model.generation_config
    model.generation_config = config
    try:
        yield
    finally:
        model.generation_config = own
