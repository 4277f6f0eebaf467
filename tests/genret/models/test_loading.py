"""Folders: what is saved is what is loaded, the kind is recognised, and bad folders get a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from backbones import BACKBONES, DOCID_TOKENS, TEXTS, frozen, gpt2, llama, sentence_encoder, t5
from floats import FORWARD, assert_close
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM

from genret.errors import ArtefactError, InputError
from genret.models import CausalBackbone, FrozenEncoderBackbone, load_backbone
from genret.tokenizer.fingerprint import tokenizer_fingerprint

TARGETS = torch.randint(4, 27, (len(TEXTS), 4), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", sorted(BACKBONES))
@torch.no_grad()
def test_a_saved_backbone_is_loaded_as_it_was(name: str, tmp_path: Path) -> None:
    backbone = BACKBONES[name]()
    ids = backbone.extend_vocabulary(["<x>", "<y>"])
    backbone.save_pretrained(tmp_path)
    loaded: Any = load_backbone(tmp_path)
    assert type(loaded) is type(backbone)
    assert not loaded.training
    assert torch.equal(loaded(TEXTS, TARGETS), backbone(TEXTS, TARGETS))
    assert tokenizer_fingerprint(loaded.tokenizer) == tokenizer_fingerprint(backbone.tokenizer)
    assert (loaded.eos_token_id, loaded.pad_token_id) == (backbone.eos_token_id, backbone.pad_token_id)
    assert loaded.extend_vocabulary(["<x>", "<y>"]) == ids
    assert torch.equal(loaded(TEXTS, TARGETS), backbone(TEXTS, TARGETS))
    assert not list(tmp_path.rglob("*.bin"))


def test_settings_are_saved(tmp_path: Path) -> None:
    t5(max_source_tokens=7).save_pretrained(tmp_path / "t5")
    assert load_backbone(tmp_path / "t5").source_lengths(["a long text"]) == [7]
    assert load_backbone(tmp_path / "t5", max_source_tokens=9).source_lengths(["a long text"]) == [9]
    llama(template="Q: {query} A:").save_pretrained(tmp_path / "llama")
    loaded = load_backbone(tmp_path / "llama")
    assert isinstance(loaded, CausalBackbone)
    assert loaded.settings.template == "Q: {query} A:"


def test_a_folder_opens_with_transformers(tmp_path: Path) -> None:
    backbone = frozen()
    backbone.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).model_type == "genret-frozen-encoder"
    for auto in (AutoModel, AutoModelForSeq2SeqLM):
        model = auto.from_pretrained(tmp_path)
        batch = backbone.source_tokenizer(TEXTS, padding=True, return_tensors="pt")
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            output = model(**inputs, labels=TARGETS)
            expected = backbone(TEXTS, TARGETS)
        assert_close(output.logits, expected, ulps=FORWARD)
        loss = torch.nn.functional.cross_entropy(expected.flatten(0, 1), TARGETS.flatten())
        assert_close(output.loss, loss, ulps=FORWARD)


def test_a_plain_encoder_gets_a_fresh_decoder(tmp_path: Path) -> None:
    encoder = sentence_encoder()
    encoder.model.save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    backbone = load_backbone(tmp_path, d_model=32, decoder_heads=2)
    assert isinstance(backbone, FrozenEncoderBackbone)
    assert backbone.vocab_size == 3
    assert backbone.extend_vocabulary(DOCID_TOKENS) == list(range(3, 3 + len(DOCID_TOKENS)))


def test_half_precision_on_request(tmp_path: Path) -> None:
    t5().save_pretrained(tmp_path)
    loaded: Any = load_backbone(tmp_path, dtype=torch.bfloat16)
    assert next(loaded.parameters()).dtype == torch.bfloat16
    assert loaded(TEXTS, TARGETS).dtype == torch.float32


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_backbone(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no config\.json"):
        load_backbone(tmp_path)


def test_a_hub_name_without_a_hub() -> None:
    with pytest.raises(InputError, match="neither a local folder nor in the local hub cache"):
        load_backbone("nobody/no-such-model")


def damaged(folder: Path, edit: Any) -> Path:
    t5().save_pretrained(folder)
    edit(folder)
    return folder


def cut(name: str) -> Any:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-10])


def set_config(**values: Any) -> Any:
    def edit(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return edit


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), InputError, "safetensors"),
        (cut("model.safetensors"), ArtefactError, "weights are damaged"),
        (cut("config.json"), InputError, "not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), InputError, "expected a JSON object"),
        (set_config(num_layers=3), InputError, "its weights lack"),
        (set_config(d_model=48), InputError, "cannot be loaded|mismatch"),
        (set_config(model_type="no-such-type"), InputError, "cannot be loaded"),
        (
            lambda folder: (folder / "tokenizer_config.json").unlink(),
            InputError,
            "no tokenizer; expected one of",
        ),
        (set_config(genret={"max_source_tokens": 0}), InputError, "expected at least 1"),
    ],
)
def test_bad_folders(edit: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        load_backbone(damaged(tmp_path, edit))


def test_kinds_that_do_not_fit(tmp_path: Path) -> None:
    t5().save_pretrained(tmp_path / "t5")
    with pytest.raises(InputError, match="no kind of backbone is called"):
        load_backbone(tmp_path / "t5", kind="tree")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be loaded"):
        load_backbone(tmp_path / "t5", kind="causal")
    set_config(model_type="vit", architectures=["ViTForImageClassification"], is_encoder_decoder=False)(
        tmp_path / "t5"
    )
    with pytest.raises(InputError, match="cannot tell which backbone"):
        load_backbone(tmp_path / "t5")


def test_a_frozen_encoder_without_its_docid_tokens(tmp_path: Path) -> None:
    frozen().save_pretrained(tmp_path)
    shutil.rmtree(tmp_path / "docid_tokenizer")
    with pytest.raises(InputError, match="docid_tokenizer: no tokenizer"):
        load_backbone(tmp_path)


def test_options_that_cannot_be_chosen_any_more(tmp_path: Path) -> None:
    frozen().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="d_model cannot be chosen any more"):
        load_backbone(tmp_path, d_model=64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "no place for it"}, r"expected \{query\} once"),
        ({"max_source_tokens": 3}, "the template alone takes"),
    ],
)
def test_bad_prompts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gpt2(**options).encode(TEXTS)


def test_bad_decoders() -> None:
    with pytest.raises(InputError, match="does not divide"):
        frozen(d_model=30)
    with pytest.raises(InputError, match="decoder_vocabulary"):
        frozen(decoder_vocabulary="letters")
