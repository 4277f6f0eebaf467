"""A T5 of any size without weights, for studies that start from nothing.

Knows transformers' T5 and its configuration; knows no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from genret.errors import InputError
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.tokenizers import load_tokenizer

__all__ = ["new_t5"]


def new_t5(
    config: Mapping[str, Any], tokenizer: str, *, seed: int = 0, **options: Any
) -> EncoderDecoderBackbone:
    """A freshly initialised T5 (Raffel et al., JMLR 2020) with the vocabulary of a tokenizer.

    Args:
        config: fields of transformers' `T5Config`, such as d_model, d_ff, d_kv, num_layers, num_heads.
        tokenizer: folder or hub name, such as one that `genret tokenizer train` wrote.
        options: those of `EncoderDecoderBackbone`.

    Raises:
        InputError: a field is unknown or its value cannot be used, or there is no such tokenizer.
    """
    from transformers import T5Config, T5ForConditionalGeneration

    loaded = load_tokenizer(tokenizer)
    known = T5Config().to_dict().keys() | {"d_model", "d_ff", "d_kv", "num_layers", "num_heads"}
    if unknown := sorted(set(config) - known):
        raise InputError(f"model.config: T5 has no field {unknown[0]!r}; it has {', '.join(sorted(known))}.")
    ids = {"pad_token_id": loaded.pad_token_id, "eos_token_id": loaded.eos_token_id}
    try:
        filled = T5Config(vocab_size=len(loaded), decoder_start_token_id=loaded.pad_token_id, **ids, **config)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = T5ForConditionalGeneration(filled)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"model.config: no T5 can be made of it: {str(error).splitlines()[0]}") from error
    return EncoderDecoderBackbone(model.eval(), loaded, **options)
