"""What is used of a model of transformers, which has no type information of its own.

Knows names only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import GenerationConfig, PretrainedConfig

__all__ = ["LanguageModel"]


class LanguageModel(Protocol):
    """A `transformers.PreTrainedModel` with a language-modelling head.

    What only some architectures have (a projection between encoder and decoder, a bias behind the output layer) is
    no part of it and is looked for where it is used.
    """

    training: bool
    config: PretrainedConfig
    generation_config: GenerationConfig

    @property
    def device(self) -> torch.device:
        """Where its parameters live."""
        ...

    @property
    def base_model(self) -> nn.Module:
        """The model without its head."""
        ...

    def __call__(self, **inputs: Any) -> Any:
        """An output with `logits`, float [rows, n, V]."""
        ...

    def get_encoder(self) -> nn.Module:
        """The encoder of an encoder-decoder."""
        ...

    def get_decoder(self) -> nn.Module:
        """The decoder without its head."""
        ...

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of token embeddings."""
        ...

    def get_output_embeddings(self) -> nn.Linear | None:
        """The output layer; None where the head is not made of one."""
        ...

    def resize_token_embeddings(self, size: int, *, mean_resizing: bool) -> nn.Embedding:
        """Both tables with `size` rows."""
        ...

    def set_attn_implementation(self, attention: str | Mapping[str, Any]) -> None:
        """Which attention function the modelling code calls."""
        ...

    def _can_set_attn_implementation(self) -> bool: ...

    def modules(self) -> Iterator[nn.Module]:
        """See `torch.nn.Module`, as for what follows."""
        ...

    def named_modules(self, *, remove_duplicate: bool = True) -> Iterator[tuple[str, nn.Module]]: ...

    def get_submodule(self, target: str) -> nn.Module: ...

    def set_submodule(self, target: str, module: nn.Module) -> None: ...

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write weights and configuration."""
        ...
