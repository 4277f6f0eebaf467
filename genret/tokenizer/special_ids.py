"""Special token ids, found where models and tokenizers keep them.

Knows configurations of transformers; decides once, so that the rest of the library never asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig

__all__ = ["decoder_prefix", "find_id", "first_id", "special_ids"]

_NAMES = ("pad", "bos", "eos", "sep", "cls", "mask", "unk", "decoder_start", "forced_bos")


class Configured(Protocol):
    """A model of transformers; those that generate have a `generation_config` as well."""

    config: PretrainedConfig


def find_id(name: str, *places: Any) -> int | None:
    """The first id called `name` that any of the places holds; of a list of ids (several ends) the first.

    Raises:
        InputError: what is called so is no token id.
    """
    for place in places:
        found = getattr(place, name, None)
        if isinstance(found, list | tuple):
            found = found[0] if found else None
        if found is not None:
            if not isinstance(found, int):
                raise InputError(
                    f"{name} is {found!r:.80}; expected a token id. Mend it in the model's configuration."
                )
            return int(found)
    return None


def first_id(name: str, model: Configured, tokenizer: Tokenizer | None, fallback: str) -> int:
    """An id that decoding cannot do without, from the model's configurations or else the tokenizer.

    It is written into the model's configuration where that does not hold it, so that a saved folder does.

    Raises:
        InputError: nobody knows it.
    """
    places = _places(model)
    found = find_id(name, *places, tokenizer)
    if found is None:
        found = find_id(fallback, tokenizer)
    if found is None:
        raise InputError(
            f"{type(model).__name__}: neither its configuration nor its tokenizer has a {name}; set it in config.json."
        )
    if find_id(name, model.config) is None:
        setattr(model.config, name, found)
    return found


def decoder_prefix(model: Configured, tokenizer: Tokenizer | None) -> list[int]:
    """What an encoder-decoder is fed before the first docid token: its start token, and a forced first token.

    Raises:
        InputError: no start token is configured, and the tokenizer has none of [CLS], BOS and padding.
    """
    places = _places(model)
    start = find_id("decoder_start_token_id", *places)
    if start is None:
        names = ("cls_token_id", "bos_token_id", "pad_token_id")
        start = next((found for name in names if (found := find_id(name, tokenizer)) is not None), None)
    if start is None:
        raise InputError(f"{type(model).__name__}: no decoder_start_token_id; set it in config.json.")
    for place in (model.config, getattr(model, "generation_config", None)):
        if place is not None and find_id("decoder_start_token_id", place) is None:
            place.decoder_start_token_id = start
    forced = find_id("forced_bos_token_id", *places)
    return [start] if forced is None else [start, forced]


def special_ids(model: Configured, tokenizer: Tokenizer | None) -> list[int]:
    """All ids that the model's configurations or its tokenizer keep for a purpose, ascending."""
    places = [*_places(model), tokenizer]
    found = {find_id(f"{name}_token_id", place) for name in _NAMES for place in places}
    # A special token that the vocabulary lacks has no id.
    return sorted({*found, *getattr(tokenizer, "all_special_ids", ())} - {None})


def _places(model: Configured) -> list[Any]:
    generation = getattr(model, "generation_config", None)
    return [generation, model.config, getattr(model.config, "decoder", None)]
