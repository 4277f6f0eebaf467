"""Which weights of a causal language model a training run leaves as they are.

Knows modules of transformers; knows no data and no loss.
"""

from __future__ import annotations

from torch import nn

from genret.errors import InputError
from genret.models.language_model import LanguageModel

__all__ = ["freeze_lowest"]


def freeze_lowest(model: LanguageModel, count: int) -> None:
    """Keep the embeddings of tokens and the lowest `count` layers as they are; no gradient passes through them.

    Raises:
        InputError: the model has fewer layers, or an encoder beside its decoder.
    """
    layers = _layers(model)
    if not 0 <= count < len(layers):
        raise InputError(f"frozen_layers: expected 0 to {len(layers) - 1}, found {count}.")
    for part in (model.get_input_embeddings(), *layers[:count]):
        part.requires_grad_(False)


def _layers(model: LanguageModel) -> nn.ModuleList:
    """The decoder's layers, lowest first."""
    if model.config.is_encoder_decoder:
        raise InputError("frozen_layers: only layers of a causal model can be kept; leave it out.")
    depth = model.config.num_hidden_layers
    return next(
        part for part in model.base_model.children() if isinstance(part, nn.ModuleList) and len(part) == depth
    )
