"""Backbones behind one small interface; nothing heavy is imported before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.models.backbone import Backbone, DecoderState, Encoded
    from genret.models.causal import CausalBackbone
    from genret.models.encoder_decoder import EncoderDecoderBackbone
    from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
    from genret.models.frozen.sentence_encoder import SentenceEncoder
    from genret.models.loading import load_backbone
    from genret.models.word_backbone import WordBackbone

__all__ = [
    "Backbone",
    "CausalBackbone",
    "DecoderState",
    "Encoded",
    "EncoderDecoderBackbone",
    "FrozenEncoderBackbone",
    "SentenceEncoder",
    "WordBackbone",
    "load_backbone",
]

__getattr__ = lazy_names(
    __name__,
    {
        "backbone": "Backbone DecoderState Encoded",
        "causal": "CausalBackbone",
        "encoder_decoder": "EncoderDecoderBackbone",
        "frozen.frozen_encoder": "FrozenEncoderBackbone",
        "frozen.sentence_encoder": "SentenceEncoder",
        "loading": "load_backbone",
        "word_backbone": "WordBackbone",
    },
)
