"""Where a model begins to count positions, and lengths from which it computes otherwise than below them.

Knows transformers' configurations and position modules; knows no backbone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from torch import Tensor, nn

from genret.models.language_model import LanguageModel

__all__ = ["first_position", "growing_ropes", "lengths_that_matter", "longest_input", "reset_rope"]

# Names in configurations of the length from which attention sees less than everything.
_WINDOWS = (
    "sliding_window",
    "window_size",
    "attention_window",
    "attention_chunk_size",
    "local_attention_window_size",
)


def first_position(body: nn.Module) -> int:
    """The position of a first token: 0, but for RoBERTa and its kin the one behind their padding's."""
    embeddings: Any = getattr(body, "embeddings", None)
    if hasattr(embeddings, "create_position_ids_from_input_ids"):
        return int(embeddings.padding_idx) + 1
    return 0


def longest_input(model: nn.Module) -> int:
    """Tokens that a model has positions for; where its configuration names no number, more than any text has."""
    config: Any = getattr(model, "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    return positions - first_position(model) if isinstance(positions, int) and positions > 0 else sys.maxsize


class Rope(Protocol):
    """A rotary module of transformers whose frequencies grow with the longest sequence that it was given."""

    max_seq_len_cached: int
    original_max_seq_len: int
    inv_freq: Tensor
    original_inv_freq: Tensor


def growing_ropes(model: LanguageModel) -> tuple[Rope, ...]:
    """The rotary modules of a model whose frequencies grow."""
    ropes: list[Any] = [module for module in model.modules() if hasattr(module, "original_inv_freq")]
    return tuple(rope for rope in ropes if "dynamic" in str(getattr(rope, "rope_type", "")))


def reset_rope(ropes: Iterable[Rope]) -> None:
    """Forget how long sequences were before.

    transformers keeps the frequencies of the longest sequence so far until a short one comes; what one sequence
    is given must not depend on what was computed before it.
    """
    for rope in ropes:
        if rope.max_seq_len_cached != rope.original_max_seq_len:
            rope.max_seq_len_cached = rope.original_max_seq_len
            rope.inv_freq = rope.original_inv_freq.to(rope.inv_freq.device)


def lengths_that_matter(config: Any) -> set[int]:
    """Lengths beyond which a model computes otherwise than below: windows, chunks, the original length of a RoPE."""
    return {length for part in _parts(config) for length in _lengths(part) if length > 1}


def _parts(config: Any) -> Iterator[Any]:
    yield config
    for name in getattr(config, "sub_configs", {}):
        if (part := getattr(config, name, None)) is not None:
            yield from _parts(part)


def _lengths(config: Any) -> Iterator[int]:
    for name in _WINDOWS:
        found = getattr(config, name, None)
        for length in found if isinstance(found, list | tuple) else [found]:
            if isinstance(length, int):
                yield length
    rope = getattr(config, "rope_parameters", None) or {}
    for part in (rope, *(value for value in rope.values() if isinstance(value, dict))):
        if part.get("rope_type") in ("dynamic", "longrope"):
            original = part.get("original_max_position_embeddings")
            yield int(original or config.max_position_embeddings)
