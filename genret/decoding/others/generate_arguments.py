"""What `generate` may be asked, field by field: what our search does as asked, what cannot matter, what is refused.

Knows transformers' generation configuration and its call; knows no model. Nothing is ignored: a field of a version
of transformers that is not known here is refused where it is set.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation import GenerationMixin

from genret.errors import UsageError

__all__ = ["HARMLESS", "OBEYED", "REFUSED", "check_call", "check_config", "check_inputs"]

# The search does as these say; how is said in the guide.
OBEYED = frozenset(
    {"num_beams", "num_return_sequences", "length_penalty", "max_length", "max_new_tokens", "min_length"}
    | {
        "min_new_tokens",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "decoder_start_token_id",
        "eos_token_id",
    }
    | {"pad_token_id", "bos_token_id", "return_dict_in_generate"}
)
_SAMPLING = "transformers reads it when it samples, and `do_sample` is refused"
_ASSISTED = "transformers reads it with an assistant, and assistants are refused"
_SPEED = "it changes how fast transformers computes, not what"
_NOTE = "a note about where the configuration comes from"
# Whatever their value, transformers' own beam search would find the same.
HARMLESS = {
    **dict.fromkeys(("temperature", "top_k", "top_p", "min_p", "top_h"), _SAMPLING),
    **dict.fromkeys(("typical_p", "epsilon_cutoff", "eta_cutoff"), _SAMPLING),
    **dict.fromkeys(("is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule"), _ASSISTED),
    **dict.fromkeys(("assistant_confidence_threshold", "max_matching_ngram_size"), _ASSISTED),
    **dict.fromkeys(("assistant_lookbehind", "target_lookbehind", "assistant_ensemble_weight"), _ASSISTED),
    **dict.fromkeys(("use_cache", "max_cache_len", "cache_config", "compile_config"), _SPEED),
    **dict.fromkeys(("disable_compile", "low_memory", "prefill_chunk_size"), _SPEED),
    "continuous_batching_config": "transformers reads it in `generate_batch` only",
    **dict.fromkeys(("_from_model_config", "transformers_version"), _NOTE),
}
_SCORES = "our search keeps no such tensors; `sequences_scores` are given"
_REWEIGHED = "scores are the model's own; change the ranking after the search"
_OTHER = "this is one search, a beam search"
# The values that ask for nothing (None is one of them always), and what to say of others.
REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "do_sample": ((False,), "pass do_sample=False, or use `genret.decoding.sample`"),
    "early_stopping": (
        (False, "never"),
        "our search stops when nothing better can come; pass early_stopping='never'",
    ),
    "num_beam_groups": ((1,), "use `genret.decoding.diverse_beam_search`"),
    "diversity_penalty": ((0.0,), "use `genret.decoding.diverse_beam_search`"),
    "renormalize_logits": ((False,), "pass score='renormalised' to `constrained_generate`"),
    "cache_implementation": (("dynamic",), "our search has a cache of its own; leave it out"),
    "token_healing": ((False,), "a prompt's last token stays as it is"),
    "use_mtp": ((False,), _OTHER),
    "max_time": ((), "our search is not cut short: what it has not seen yet may be best"),
    "stop_strings": ((), "docids end where the constraint says"),
    **dict.fromkeys(("output_scores", "output_logits"), ((False,), _SCORES)),
    **dict.fromkeys(("output_attentions", "output_hidden_states"), ((False,), _SCORES)),
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty"), ((1.0,), _REWEIGHED)),
    **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), ((0,), _REWEIGHED)),
    **dict.fromkeys(
        ("exponential_decay_length_penalty", "sequence_bias", "watermarking_config"), ((), _REWEIGHED)
    ),
    "guidance_scale": ((1.0,), _REWEIGHED),
    "remove_invalid_values": ((False,), "a model whose scores are not numbers is named as such"),
    **dict.fromkeys(
        ("bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
        (([],), "say it in the constraint: leave those docids out, or filter them"),
    ),
    **dict.fromkeys(("constraints", "force_words_ids"), ((), "say it in the constraint")),
    **dict.fromkeys(("prompt_lookup_num_tokens", "assistant_early_exit", "speculation_type"), ((), _OTHER)),
    **dict.fromkeys(("penalty_alpha", "dola_layers"), ((), _OTHER)),
}
# Arguments of the call that transformers hands to its own decoding only.
_CALL = {
    "logits_processor": "say it in the constraint, or change the ranking after the search",
    "stopping_criteria": "docids end where the constraint says",
    "prefix_allowed_tokens_fn": "the constraint is `constrained_generate`'s",
    "assistant_model": _OTHER,
    "streamer": "nothing is known before the search ends",
    "negative_prompt_ids": _REWEIGHED,
    "negative_prompt_attention_mask": _REWEIGHED,
    "synced_gpus": "processes search on their own, with different numbers of steps",
}
# What else `generate` hands over: what our search reads, or what has been read by the encoder.
_CACHES = ("past_key_values", "cache_params")
_READ = {"attention_mask", "encoder_outputs", "position_ids", "decoder_attention_mask", *_CACHES}
_UNREAD = {"use_cache", "logits_to_keep"}
_BY_ENCODER = {"token_type_ids"}


def check_config(config: GenerationConfig) -> None:
    """Refuse what a generation configuration, the model's own included, asks for and our search would not do.

    Raises:
        UsageError: naming the field, its value and what to do.
    """
    for name in GenerationConfig().to_dict():
        if name in OBEYED or name in HARMLESS:
            continue
        neutral, advice = REFUSED.get(name, ((), "it is not known to this version of genret"))
        value = getattr(config, name, None)
        if value is not None and value not in neutral:
            raise _refusal(name, value, advice)


def check_call(caller: FrameType | None = None) -> None:
    """Refuse arguments of `generate` that transformers keeps from a custom decoding function.

    They are read where they are: in the frame of the call to `generate` that is under way.

    Raises:
        UsageError: naming the argument; or there is no such call.
    """
    code = inspect.unwrap(GenerationMixin.generate).__code__
    frame = caller or sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        raise UsageError(
            "constrained_generate: its function is for `model.generate(custom_generate=...)`; without a model of "
            "transformers that generates, call `genret.decoding.beam_search`."
        )
    for name, advice in _CALL.items():
        value = frame.f_locals.get(name)
        if value is not None and value is not False and (name == "streamer" or not _empty(value)):
            raise _refusal(name, value, advice)


def check_inputs(inputs: Mapping[str, Any], mask: torch.Tensor | None, encoder_decoder: bool) -> None:
    """Refuse inputs of the model beside its text that our search would not hand on.

    Args:
        inputs: what `generate` passes on, by name.
        mask: a causal model's, [rows, S].

    Raises:
        UsageError: naming the input.
    """
    known = _READ | _UNREAD | (_BY_ENCODER if encoder_decoder else set())
    for name, value in inputs.items():
        if value is not None and name not in known:
            raise _refusal(
                name, type(value).__name__, "our search does not hand it to the model; leave it out"
            )
    for name in _CACHES:
        past = inputs.get(name)
        if past is not None and _begun(past):
            raise _refusal(name, type(past).__name__, "our search reads the whole prompt; leave it out")
    fed = inputs.get("decoder_attention_mask")
    if fed is not None and not bool(fed.bool().all()):
        raise _refusal(
            "decoder_attention_mask", "a mask with zeros", "give decoder_input_ids without padding"
        )
    positions = inputs.get("position_ids")
    if positions is not None and mask is not None and not encoder_decoder:
        real = mask.bool()
        if positions.shape != mask.shape or not torch.equal(positions[real], (real.cumsum(1) - 1)[real]):
            raise _refusal(
                "position_ids", "other positions", "a prompt's tokens are counted from 0; leave it out"
            )


def _begun(cache: Any) -> bool:
    """Whether a cache holds tokens, or may: `generate` makes an empty one, and marks one that it was given."""
    try:
        return bool(cache.get_seq_length())
    except ValueError:  # recurrent layers count no tokens
        return bool(getattr(cache, "_is_user_defined", False))


def _empty(value: object) -> bool:
    return hasattr(value, "__len__") and len(value) == 0


def _refusal(name: str, value: object, advice: str) -> UsageError:
    return UsageError(f"{name}={value!r:.80}: not possible with constrained_generate: {advice}.")
