"""New tokens: never split, initialised, tied where the model ties, safe to add twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from backbones import (
    BACKBONES,
    CAUSAL,
    ENCODER_DECODERS,
    TEXTS,
    bart,
    bart_tokenizer,
    byte_tokenizer,
    frozen,
    t5,
    word_tokenizer,
)
from floats import FORWARD, assert_close

from genret.errors import InputError
from genret.models import load_backbone
from genret.models.frozen.frozen_encoder import docid_tokenizer
from genret.models.vocabulary import fill_rows
from genret.tokenizer.added_tokens import extend_tokenizer

NEW = ["<new_0>", "<new_1>", "<NEW_1>", "<new_10>"]
TRAINED_ELSEWHERE = sorted({**ENCODER_DECODERS, **CAUSAL})
TOKENIZERS = [byte_tokenizer, word_tokenizer, bart_tokenizer, docid_tokenizer]


@pytest.mark.parametrize("name", sorted(BACKBONES))
@torch.no_grad()
def test_extending(name: str) -> None:
    backbone = BACKBONES[name]()
    size = backbone.vocab_size
    tied = _input(backbone) is _output(backbone)
    targets = torch.full((len(TEXTS), 2), 5)
    before = backbone(TEXTS, targets)
    ids = backbone.extend_vocabulary(NEW)
    assert len(set(ids)) == len(NEW)
    assert (_input(backbone) is _output(backbone)) == tied
    assert backbone.vocab_size == max(size, max(ids) + 1) == len(_input(backbone)) == len(_output(backbone))
    known = [token for token in range(size) if token not in ids]
    assert_close(backbone(TEXTS, targets)[..., known], before[..., known], ulps=FORWARD)
    assert len({tuple(row) for row in _input(backbone)[ids].tolist()}) == len(NEW)
    assert backbone(TEXTS, torch.tensor([ids]).expand(len(TEXTS), -1)).isfinite().all()


def _input(backbone: Any) -> torch.Tensor:
    part = backbone.model.decoder if hasattr(backbone.model.config, "decoder") else backbone.model
    return part.get_input_embeddings().weight


def _output(backbone: Any) -> torch.Tensor:
    part = backbone.model.decoder if hasattr(backbone.model.config, "decoder") else backbone.model
    return part.get_output_embeddings().weight


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_extending_again_changes_nothing_but_what_is_new(name: str) -> None:
    backbone = BACKBONES[name]()
    ids = backbone.extend_vocabulary(NEW)
    rows = _output(backbone)[ids].clone()
    more = backbone.extend_vocabulary([NEW[2], "<other>"])
    assert more[0] == ids[2]
    assert more[1] not in ids
    assert torch.equal(_output(backbone)[ids], rows)
    assert backbone.extend_vocabulary(NEW) == ids
    assert backbone.extend_vocabulary([]) == []


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_what_a_folder_has_learned_of_its_tokens_stays(name: str, tmp_path: Path) -> None:
    """A second training begins with the rows that the first one left."""
    backbone = BACKBONES[name]()
    ids = backbone.extend_vocabulary(NEW)
    backbone.save_pretrained(tmp_path)
    again = load_backbone(tmp_path)
    assert again.extend_vocabulary(NEW) == ids
    assert torch.equal(_output(again)[ids], _output(backbone)[ids])


@pytest.mark.parametrize("name", TRAINED_ELSEWHERE)
def test_new_rows_are_near_the_mean(name: str) -> None:
    backbone = BACKBONES[name]()
    for table in (_input, _output):
        assert len(table(backbone)) > 10
    ids = backbone.extend_vocabulary([f"<{number}>" for number in range(60)])
    for table in (_input(backbone), _output(backbone)):
        old = table[[token for token in range(len(table)) if token not in ids]]
        spread = old.std(0).mean()
        distance = (table[ids] - old.mean(0)).std() / spread
        assert 0.08 < distance < 0.13


def test_untied_bart_keeps_the_tables_of_its_stacks() -> None:
    """transformers' own resizing puts the unused shared table in their place."""
    backbone = bart(tied=False)
    stacks = (backbone.model.model.encoder, backbone.model.model.decoder)
    before = [stack.embed_tokens.weight.clone() for stack in stacks]
    size = backbone.vocab_size
    ids = backbone.extend_vocabulary([f"<{number}>" for number in range(size)])
    for stack, old in zip(stacks, before, strict=True):
        assert torch.equal(stack.embed_tokens.weight[: min(ids)], old[: min(ids)])
        assert len(stack.embed_tokens.weight) == stack.embed_tokens.num_embeddings == max(ids) + 1
    assert stacks[0].embed_tokens is not stacks[1].embed_tokens
    assert backbone.model.final_logits_bias.shape == (1, max(ids) + 1)


def test_rows_beyond_the_tokenizer_are_initialised_too() -> None:
    """T5 has more rows than its tokenizer has tokens; the first new tokens take those."""
    backbone = t5()
    size, used = backbone.vocab_size, len(backbone.tokenizer)
    assert size > used
    old = _input(backbone).clone()
    ids = backbone.extend_vocabulary(["<a>", "<b>"])
    assert backbone.vocab_size == size
    assert ids == [used, used + 1]
    assert (_input(backbone)[ids] != old[ids]).any(1).all()


def test_a_fresh_decoder_draws_new_rows_as_its_first_ones() -> None:
    """Three rows have no mean worth starting from."""
    backbone = frozen()
    rows = _input(backbone)[3:]
    assert_close(rows.std(), 32**-0.5, relative=0.1)
    assert_close(rows.mean(), 0.0, within=0.05)


def test_new_rows_depend_on_the_seed_alone() -> None:
    table = torch.randn(20, 6)
    first, second, third = table.clone(), table.clone(), table.clone()
    torch.manual_seed(1)
    fill_rows(first, [18, 19], 18, 0)
    torch.manual_seed(2)
    fill_rows(second, [18, 19], 18, 0)
    fill_rows(third, [18, 19], 18, 1)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert torch.equal(first[:18], table[:18])


@pytest.mark.parametrize("make", TOKENIZERS)
def test_new_tokens_are_never_split_and_never_spaced(make: Any) -> None:
    tokenizer = make()
    ids = extend_tokenizer(tokenizer, NEW)
    text = "".join(NEW)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    assert tokenizer.convert_ids_to_tokens(ids) == NEW
    assert tokenizer.convert_tokens_to_ids(NEW) == ids


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["<a>", "<a>"], "'<a>': given twice"),
        ([""], "'': expected text"),
        ([" <a>"], "without spaces"),
        (["[CLS]"], "has it already"),
        (["paris"], "has it already"),
    ],
)
def test_bad_new_tokens(tokens: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        extend_tokenizer(word_tokenizer(), tokens)
