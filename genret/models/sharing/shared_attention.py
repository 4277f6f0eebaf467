"""Attention in which the beams of a query share its keys and values, through transformers' public interface.

Knows attention tensors and how rows share them (`Rows`); knows no model. Modelling code of transformers that
looks its attention function up by name runs unchanged: cached keys that are stored once per query carry their
`Rows`, and the beams of a query are folded into the query axis, so that nothing is ever copied per beam. Keys
without `Rows` take transformers' own scaled-dot-product path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from genret.models.language_model import LanguageModel
from genret.models.sharing.rows import Rows

__all__ = [
    "SHARED_ATTENTION",
    "Prompt",
    "attention_of",
    "attention_restored",
    "set_attention",
    "share_keys",
    "share_prompt",
    "use_shared_attention",
]

SHARED_ATTENTION = "genret_shared"


class SharedKeys(Tensor):
    """Keys [queries, heads, S, d] that every row of its query attends to.

    Modelling code hands keys to its attention function as they are, so that what belongs to them travels with
    them; whatever is computed from them is an ordinary tensor.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    rows: Rows


class PromptedKeys(Tensor):
    """Keys [rows, heads, T, d] that continue a prompt's, which are stored once per query."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    prompt: Prompt


class Prompt:
    """Keys and values of prompts, [queries, key heads, S, d], stored once per query, and which are padding.

    Attributes:
        mask: bool [queries, 1, 1, S]; true at real tokens.
    """

    def __init__(self, keys: Tensor, values: Tensor, mask: Tensor, rows: Rows) -> None:
        self.keys, self.values, self.mask, self.rows = keys, values, mask, rows


def use_shared_attention(model: LanguageModel) -> bool:
    """Let `model` look its attention up here; False where its code has attention of its own."""
    if not model._can_set_attn_implementation() or not getattr(model, "_supports_sdpa", False):
        return False
    model.set_attn_implementation(SHARED_ATTENTION)
    return bool(model.config._attn_implementation == SHARED_ATTENTION)


@contextmanager
def attention_restored(model: LanguageModel) -> Iterator[None]:
    """Give a model that belongs to somebody else its own attention back at the end of the block."""
    before = attention_of(model)
    try:
        yield
    finally:
        set_attention(model, before)


def set_attention(model: LanguageModel, attention: dict[str, Any]) -> None:
    """Give `model` the attention that `attention_of` found, where it can be given any."""
    if attention_of(model) != attention and model._can_set_attn_implementation():
        model.set_attn_implementation(attention)


def attention_of(model: LanguageModel) -> dict[str, Any]:
    """The attention of a model and of those inside it, as `set_attn_implementation` takes it."""
    return _implementations(model.config)


def _implementations(config: Any) -> dict[str, Any]:
    inner = {key: getattr(config, key) for key in config.sub_configs}
    parts = {key: _implementations(part) for key, part in inner.items() if part is not None}
    return {"": config._attn_implementation, **parts}


def share_keys(keys: Tensor, rows: Rows) -> Tensor:
    """A view of `keys` [queries, heads, S, d] that every row of its query attends to."""
    shared = keys.as_subclass(SharedKeys)
    shared.rows = rows
    return shared


def share_prompt(keys: Tensor, prompt: Prompt) -> Tensor:
    """A view of `keys` [rows, heads, T, d], the continuation of a prompt that is stored once per query."""
    continued = keys.as_subclass(PromptedKeys)
    continued.prompt = prompt
    return continued


def shared_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: query [rows, heads, T, d] to output [rows, T, heads, d].

    Dropout never applies to shared keys: they exist only while decoding.
    """
    scale = options.get("scaling")
    if isinstance(key, SharedKeys):
        return _cross(query, key, value, attention_mask, key.rows, scale), None
    if isinstance(key, PromptedKeys):
        return _continued(query, key, value, attention_mask, key.prompt, scale), None
    output: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output


def _cross(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, rows: Rows, scale: float | None
) -> Tensor:
    """Rows attend to the memory of their query; `mask` is bool [queries, 1, 1, S]. T5's bias is zero here."""
    folded = torch.nn.functional.scaled_dot_product_attention(
        rows.fold(query), key, value, attn_mask=mask, scale=scale
    )
    return rows.unfold(folded, query.shape[2])


def _continued(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, prompt: Prompt, scale: float | None
) -> Tensor:
    """Rows attend to their query's prompt and to their own continuation: one softmax over both parts.

    Query heads that share a key head (grouped-query attention) are folded into the query axis as well.
    """
    row_count, heads, length, dim = query.shape
    key_heads = key.shape[1]
    query = query * (dim**-0.5 if scale is None else scale)
    grouped = query.reshape(row_count, key_heads, -1, dim)  # [rows, key heads, groups * T, d]
    far = prompt.rows.fold(grouped) @ prompt.keys.transpose(
        2, 3
    )  # [queries, key heads, width * groups * T, S]
    far = far.masked_fill(~prompt.mask, torch.finfo(far.dtype).min)
    far_rows = prompt.rows.unfold(far, grouped.shape[2]).transpose(1, 2)  # [rows, key heads, groups * T, S]
    near = _masked(grouped @ key.transpose(2, 3), mask, length)  # [rows, key heads, groups * T, t]
    weights = torch.cat([far_rows, near], -1).float().softmax(-1).to(query.dtype)
    split = far.shape[-1]
    from_prompt = prompt.rows.fold(weights[..., :split]) @ prompt.values
    output = prompt.rows.unfold(from_prompt, grouped.shape[2]).transpose(1, 2) + weights[..., split:] @ value
    return output.reshape(row_count, heads, length, dim).transpose(1, 2).contiguous()


def _masked(scores: Tensor, mask: Tensor | None, length: int) -> Tensor:
    """Apply bool `mask` [rows or 1, 1, T, t] to scores [rows, key heads, groups * T, t]."""
    if mask is None:
        return scores
    shape = scores.shape
    scores = scores.view(*shape[:2], -1, length, shape[-1])
    return scores.masked_fill(~mask.unsqueeze(2), torch.finfo(scores.dtype).min).view(shape)


AttentionInterface.register(SHARED_ATTENTION, shared_attention)
AttentionMaskInterface.register(SHARED_ATTENTION, sdpa_mask)
