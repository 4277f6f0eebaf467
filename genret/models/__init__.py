"""Backbones behind one small interface; nothing heavy is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genret.models.backbone import Backbone, DecoderState, Encoded
    from genret.models.causal import CausalBackbone
    from genret.models.encoder_decoder import EncoderDecoderBackbone
    from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
    from genret.models.frozen.sentence_encoder import SentenceEncoder
    from genret.models.loading import load_backbone
    from genret.models.vocabulary import decode_tokens

__all__ = [
    "Backbone",
    "CausalBackbone",
    "DecoderState",
    "Encoded",
    "EncoderDecoderBackbone",
    "FrozenEncoderBackbone",
    "SentenceEncoder",
    "decode_tokens",
    "load_backbone",
]

_MODULES = {
    "Backbone": "backbone",
    "CausalBackbone": "causal",
    "DecoderState": "backbone",
    "Encoded": "backbone",
    "EncoderDecoderBackbone": "encoder_decoder",
    "FrozenEncoderBackbone": "frozen.frozen_encoder",
    "SentenceEncoder": "frozen.sentence_encoder",
    "decode_tokens": "vocabulary",
    "load_backbone": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
