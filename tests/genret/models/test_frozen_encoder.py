"""The frozen encoder: what is trained, what is not, and what precomputed states are worth."""

from __future__ import annotations

import pytest
import torch
from backbones import DOCID_TOKENS, TEXTS, frozen, sentence_encoder
from floats import FORWARD, assert_close, close
from torch.nn import functional

from genret.models import FrozenEncoderBackbone

TARGETS = torch.tensor([[3, 12, 20, 1], [3, 11, 19, 1], [4, 12, 1, 0], [5, 1, 0, 0]])


def loss_of(backbone: FrozenEncoderBackbone) -> torch.Tensor:
    logits = backbone(TEXTS, TARGETS)
    return functional.cross_entropy(logits.flatten(0, 1), TARGETS.flatten(), ignore_index=0)


def test_only_the_decoder_is_trained() -> None:
    backbone = frozen().train()
    assert backbone.training
    assert backbone.model.decoder.training
    assert not backbone.model.encoder.training
    wanting = {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert wanting
    assert all(name.startswith("model.decoder.") for name in wanting)
    encoded = backbone.encode(TEXTS)
    assert not any(part.requires_grad for part in (encoded.states, encoded.pooled))


def test_it_learns_four_docids_and_leaves_the_encoder_alone() -> None:
    torch.manual_seed(0)
    backbone = frozen(dropout=0.0).train()
    before = {name: tensor.clone() for name, tensor in backbone.model.encoder.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in backbone.parameters() if p.requires_grad], lr=3e-3)
    first = loss_of(backbone).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss_of(backbone).backward()
        optimiser.step()
    assert first > 2.0
    assert loss_of(backbone).item() < 0.05
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in backbone.model.encoder.state_dict().items()
    )


@torch.no_grad()
def test_precomputed_states_are_what_encode_computes() -> None:
    backbone = frozen()
    states, mask, pooled = backbone.sentence_encoder.states(TEXTS, backbone.model.config.max_source_tokens)
    expected = backbone(TEXTS, TARGETS)
    found = backbone.target_logits(backbone.encode_states(states, mask, pooled), TARGETS)
    assert torch.equal(found, expected)
    half = backbone.encode_states(states.half(), mask, pooled)
    assert half.states.dtype == torch.float32
    assert_close(backbone.target_logits(half, TARGETS), expected, within=0.02)


@torch.no_grad()
def test_the_decoder_reads_the_sentence_vector_and_the_token_states() -> None:
    backbone = frozen()
    encoded = backbone.encode(TEXTS)
    expected = backbone.target_logits(encoded, TARGETS)
    for name in ("states", "pooled"):
        parts = {part: getattr(encoded, part) for part in ("states", "mask", "pooled")}
        parts[name] = torch.randn_like(parts[name])
        assert not close(backbone.target_logits(type(encoded)(**parts), TARGETS), expected, within=0.01)


@torch.no_grad()
def test_only_the_first_states_are_kept_and_the_vector_is_of_all() -> None:
    backbone = frozen(memory_tokens=3)
    encoded = backbone.encode(TEXTS)
    assert encoded.states.shape[1] == encoded.mask.shape[1] == 3
    _, mask, pooled = backbone.sentence_encoder.states(TEXTS, 128)
    assert_close(encoded.pooled, pooled, ulps=FORWARD)
    assert mask.shape[1] > 3


def test_the_vocabulary_is_docid_tokens_alone_or_the_encoders() -> None:
    docids, words = frozen(), frozen(decoder_vocabulary="encoder")
    assert docids.vocab_size == 3 + len(DOCID_TOKENS)
    assert docids.tokenizer("".join(DOCID_TOKENS[:3]))["input_ids"] == [3, 4, 5]
    assert docids.tokenizer("nothing that it knows")["input_ids"] == []
    assert words.tokenizer is words.source_tokenizer
    assert words.vocab_size == len(words.tokenizer)
    assert (words.pad_token_id, words.eos_token_id) == (0, 3)


@torch.no_grad()
def test_words_of_the_encoder_begin_as_its_own_do() -> None:
    """In as many directions as the decoder has: with all of them, products are the encoder's up to one factor."""
    encoder = sentence_encoder()
    known = encoder.model.get_input_embeddings().weight.double()
    words = FrozenEncoderBackbone.build(
        encoder, decoder_vocabulary="encoder", d_model=known.shape[1], decoder_heads=1
    )
    table = words.model.decoder.embed.weight.double()
    centred = known - known.mean(0)
    ours, theirs = table @ table.T, centred @ centred.T
    assert_close(ours / ours.trace(), theirs / theirs.trace(), ulps=FORWARD)


def test_the_same_seed_gives_the_same_decoder() -> None:
    first, second, third = (
        FrozenEncoderBackbone.build(sentence_encoder(), seed=seed, d_model=32).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["model.decoder.embed.weight"], third["model.decoder.embed.weight"])


def test_building_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    FrozenEncoderBackbone.build(sentence_encoder(), d_model=32)
    assert torch.equal(torch.rand(2), expected)


def test_labels_are_needed_by_the_transformers_model() -> None:
    with pytest.raises(ValueError, match="labels are needed"):
        frozen().model(torch.tensor([[2, 3]]))
