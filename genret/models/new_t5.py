"""A T5 of any size without weights, for studies that start from nothing.

Knows transformers' T5 and its configuration; knows no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from genret.errors import InputError
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.shapes import T5Shape, given_values, refuse_too_large
from genret.tokenizer.load import load_tokenizer

__all__ = ["new_t5"]


def new_t5(
    config: Mapping[str, Any], tokenizer: str, *, seed: int = 0, **options: Any
) -> EncoderDecoderBackbone:
    """A freshly initialised T5 (Raffel et al., JMLR 2020) with the vocabulary of a tokenizer.

    Args:
        config: fields of transformers' `T5Config`, see `T5Shape`.
        tokenizer: folder or hub name, such as one that `genret tokenizer train` wrote.
        options: those of `EncoderDecoderBackbone`.

    Raises:
        InputError: a field is unknown or its value cannot be used, or there is no such tokenizer.
    """
    from transformers import T5Config, T5ForConditionalGeneration

    given = given_values(T5Shape, config, "model.config")
    if "vocab_size" in given:
        raise InputError("model.config: vocab_size is the tokenizer's; leave it out.")
    loaded = load_tokenizer(tokenizer)
    ids = {"pad_token_id": loaded.pad_token_id, "eos_token_id": loaded.eos_token_id}
    try:
        filled = T5Config(vocab_size=len(loaded), decoder_start_token_id=loaded.pad_token_id, **ids, **given)
        with torch.device("meta"):
            refuse_too_large(sum(p.numel() for p in T5ForConditionalGeneration(filled).parameters()))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = T5ForConditionalGeneration(filled)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"model.config: no T5 can be made of it: {str(error).splitlines()[0]}") from error
    return EncoderDecoderBackbone(model.eval(), loaded, **options)
