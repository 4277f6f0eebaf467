"""Architectures that the library would misread are refused, with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from backbones import BACKBONES, byte_tokenizer, opt, umt5
from transformers import BloomConfig, BloomForCausalLM, ProphetNetConfig, ProphetNetForConditionalGeneration

from genret.errors import InputError
from genret.models import CausalBackbone, EncoderDecoderBackbone
from genret.models.head import Head


def test_an_architecture_with_logits_of_its_own_is_refused() -> None:
    torch.manual_seed(0)
    config = ProphetNetConfig(
        vocab_size=300,
        hidden_size=32,
        num_encoder_layers=1,
        num_decoder_layers=1,
        num_encoder_attention_heads=4,
        num_decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
    )
    with pytest.raises(InputError, match="ProphetNetForConditionalGeneration is not supported"):
        EncoderDecoderBackbone(ProphetNetForConditionalGeneration(config), byte_tokenizer())


def test_a_model_without_positions_is_refused() -> None:
    config = BloomConfig(vocab_size=300, hidden_size=32, n_layer=1, n_head=4)
    with pytest.raises(InputError, match="cannot be told positions"):
        CausalBackbone(BloomForCausalLM(config), byte_tokenizer())


@pytest.mark.parametrize("build", [opt, umt5])
def test_a_misread_head_is_noticed(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Head, "prepare", lambda self, hidden: hidden.roll(1, -1))
    with pytest.raises(InputError, match="gives other logits"):
        build()


@pytest.mark.parametrize("build", [opt, umt5])
def test_a_model_that_raises_is_refused(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("shape mismatch\nin line 3")

    monkeypatch.setattr(Head, "prepare", fail)
    with pytest.raises(InputError, match=r"cannot be decoded step by step \(shape mismatch\)"):
        build()


def test_the_check_leaves_the_mode_alone() -> None:
    model = opt().model
    assert CausalBackbone(model.train(), byte_tokenizer()).training
    assert not CausalBackbone(model.eval(), byte_tokenizer()).training


def test_known_types_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise AssertionError("asked")

    for module in ("causal", "encoder_decoder"):
        monkeypatch.setattr(f"genret.models.{module}.check_steps", fail)
    for name in sorted(set(BACKBONES) - {"opt", "umt5"}):
        BACKBONES[name]()
