"""The same logits as transformers' own forward, with its plain attention, expanded caches and its own masks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from backbones import CAUSAL, ENCODER_DECODERS, TEXTS, bart, llama, t5
from floats import FORWARD, assert_close
from transformers.modeling_outputs import BaseModelOutput

CLOSE = {"atol": 1e-5, "rtol": 0.0}


def plain(model: Any) -> Any:
    """A copy that uses transformers' eager attention."""
    other = copy.deepcopy(model)
    other.set_attn_implementation("eager")
    assert other.config._attn_implementation == "eager"
    return other


def random_targets(rows: int, length: int) -> torch.Tensor:
    return torch.randint(4, 27, (rows, length), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", sorted(ENCODER_DECODERS))
@torch.no_grad()
def test_encoder_decoders(name: str) -> None:
    backbone = ENCODER_DECODERS[name]()
    batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
    targets = random_targets(len(TEXTS), 5)
    prefix = torch.tensor(backbone.prefix).expand(len(TEXTS), -1)
    expected = plain(backbone.model)(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        decoder_input_ids=torch.cat([prefix, targets[:, :-1]], 1),
    ).logits[:, prefix.shape[1] - 1 :]
    assert_close(backbone(TEXTS, targets), expected, ulps=FORWARD)


@pytest.mark.parametrize("name", sorted(ENCODER_DECODERS))
@torch.no_grad()
def test_steps_with_shared_keys_are_steps_with_expanded_ones(name: str) -> None:
    """Ten rows of four queries, as transformers would decode them: everything repeated per row."""
    backbone = ENCODER_DECODERS[name]()
    other = plain(backbone.model)
    query_of_row = torch.tensor([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    tokens = random_targets(10, 4)
    encoded = backbone.encode(TEXTS)
    prefix = torch.tensor(backbone.prefix).expand(10, -1)
    expected = other(
        encoder_outputs=BaseModelOutput(_encoder_states(other, backbone)[query_of_row]),
        attention_mask=encoded.mask[query_of_row].long(),
        decoder_input_ids=torch.cat([prefix, tokens], 1),
    ).logits[:, prefix.shape[1] :]
    _, state = backbone.start(encoded)
    state = backbone.reorder(state, query_of_row)
    for column in range(tokens.shape[1]):
        hidden, state = backbone.step(state, tokens[:, column])
        assert_close(backbone.logits(hidden), expected[:, column], ulps=FORWARD)


def _encoder_states(model: Any, backbone: Any) -> torch.Tensor:
    batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
    encoder = model.get_encoder()
    return encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state


@pytest.mark.parametrize("name", sorted(CAUSAL))
@torch.no_grad()
def test_causal_models(name: str) -> None:
    """Each prompt with its continuation, alone and without padding."""
    backbone = CAUSAL[name]()
    other = plain(backbone.model)
    targets = random_targets(len(TEXTS), 5)
    found = backbone(TEXTS, targets)
    encoded = backbone.encode(TEXTS)
    for row in range(len(TEXTS)):
        prompt = encoded.input_ids[row][encoded.mask[row]]
        logits = other(torch.cat([prompt, targets[row, :-1]])[None]).logits[0, len(prompt) - 1 :]
        assert_close(found[row], logits, ulps=FORWARD)


@torch.no_grad()
def test_greedy_decoding_is_transformers_generate() -> None:
    """Ten greedy tokens, BART's forced first token included."""
    for backbone in (t5(), bart()):
        batch = backbone.tokenizer(TEXTS, padding=True, return_tensors="pt")
        options = {"num_beams": 1, "do_sample": False, "min_new_tokens": 12, "max_new_tokens": 12}
        model = plain(backbone.model)
        model.generation_config.forced_eos_token_id = None
        expected = model.generate(**batch, **options, suppress_tokens=[backbone.eos_token_id])
        hidden, state = backbone.start(backbone.encode(TEXTS))
        for column in range(len(backbone.prefix), 12):
            logits = backbone.logits(hidden)
            logits[:, backbone.eos_token_id] = -torch.inf
            tokens = logits.argmax(-1)
            assert tokens.tolist() == expected[:, column].tolist()
            hidden, state = backbone.step(state, tokens)


@pytest.mark.parametrize("build", [t5, bart, llama])
@torch.no_grad()
def test_padding_side_changes_nothing(build: Any) -> None:
    results = []
    for side in ("left", "right"):
        backbone = build()
        backbone.tokenizer.padding_side = side
        results.append(backbone(TEXTS, random_targets(len(TEXTS), 3)))
    assert torch.equal(*results)


@torch.no_grad()
def test_sources_padded_on_the_left_give_the_same_where_positions_are_relative() -> None:
    backbone = t5()
    batch = [
        backbone.tokenizer(TEXTS, padding=True, padding_side=side, return_tensors="pt")
        for side in ("left", "right")
    ]
    targets = random_targets(len(TEXTS), 3)
    logits = [
        backbone.target_logits(backbone.encode_ids(part["input_ids"], part["attention_mask"]), targets)
        for part in batch
    ]
    assert_close(*logits, ulps=FORWARD)
