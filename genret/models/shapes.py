"""What a configuration may say of a model's shape, and whether this machine could hold it.

Knows names, bounds and arithmetic; builds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Interval

from genret.config import Count, from_mapping
from genret.errors import InputError

__all__ = [
    "OPTIONS",
    "BackboneOptions",
    "CausalOptions",
    "DecoderShape",
    "T5Shape",
    "given_values",
    "refuse_too_large",
]

Width: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 18)]
Layers: TypeAlias = Annotated[int, Interval(ge=1, le=1 << 10)]
Dropout: TypeAlias = Annotated[float, Interval(ge=0, lt=1)]
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class T5Shape:
    """Fields of transformers' `T5Config`; one that is None has T5's own default.

    Attributes:
        vocab_size: for the plan of a run only; a model has that of its tokenizer.
    """

    vocab_size: Annotated[int, Interval(ge=1, le=1 << 30)] | None = None
    d_model: Width | None = None
    d_kv: Width | None = None
    d_ff: Width | None = None
    num_layers: Layers | None = None
    num_decoder_layers: Layers | None = None
    num_heads: Layers | None = None
    relative_attention_num_buckets: Annotated[int, Interval(ge=4, le=1 << 16)] | None = None
    relative_attention_max_distance: Annotated[int, Interval(ge=4, le=1 << 20)] | None = None
    dropout_rate: Dropout | None = None
    layer_norm_epsilon: Annotated[float, Interval(gt=0, le=1)] | None = None
    initializer_factor: Annotated[float, Interval(gt=0, le=100)] | None = None
    feed_forward_proj: Literal["relu", "gelu", "gated-gelu", "gated-silu"] | None = None
    tie_word_embeddings: bool | None = None


@dataclass(frozen=True)
class DecoderShape:
    """The decoder on a frozen sentence encoder: fields of `FrozenEncoderConfig`; None is its default."""

    d_model: Width | None = None
    decoder_layers: Annotated[int, Interval(ge=0, le=1 << 10)] | None = None
    decoder_heads: Layers | None = None
    decoder_ffn_dim: Width | None = None
    dropout: Dropout | None = None
    max_docid_tokens: Annotated[int, Interval(ge=1, le=1 << 16)] | None = None
    max_source_tokens: Count | None = None
    memory_tokens: Annotated[int, Interval(ge=1, le=1 << 16)] | None = None
    decoder_vocabulary: Literal["docids", "encoder"] | None = None
    tie_word_embeddings: bool | None = None

    def __post_init__(self) -> None:
        width, layers = self.d_model or 0, self.decoder_layers or 0
        block = width * (8 * width + 2 * (self.decoder_ffn_dim or 0))
        refuse_too_large(layers * block)


@dataclass(frozen=True)
class BackboneOptions:
    """What `load_backbone` takes of an encoder-decoder."""

    max_source_tokens: Count | None = None


@dataclass(frozen=True)
class CausalOptions(BackboneOptions):
    """What it takes of a causal model."""

    template: str | None = None


@dataclass(frozen=True)
class NoOptions:
    """What it takes of a model of words: nothing."""


# What `load_backbone` takes, by the kind of model.
OPTIONS: dict[str, type[Any]] = {
    "frozen-encoder": DecoderShape,
    "encoder-decoder": BackboneOptions,
    "causal": CausalOptions,
    "words": NoOptions,
}


def given_values(shape: type[Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values as `shape` has them, of the right types and within bounds; those that are None are left out.

    Raises:
        InputError: a name is unknown, or a value cannot be used.
    """
    found = vars(from_mapping(shape, values, where))
    return {name: value for name, value in found.items() if value is not None}


def refuse_too_large(parameters: int) -> None:
    """Refuse a model of which not even the weights, in float32, fit into this machine.

    Raises:
        InputError: it says how much would be needed.
    """
    here = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = parameters * FLOAT32_BYTES
    if needed > here:
        raise InputError(
            f"a model of this shape has {parameters:,} parameters or more, {needed / 2**30:,.0f} GiB in float32; this "
            f"machine has {here / 2**30:,.0f} GiB. Choose smaller widths or fewer layers."
        )
