"""Adapters in tiny models: only they and new rows are trained; taken off, merged, written and read they are the same model."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from backbones import BACKBONES, CAUSAL, ENCODER_DECODERS, TEXTS
from floats import DOUBLE, FORWARD, LOGITS, assert_close, close
from safetensors.torch import load_file, save_file

from docid.trie import DocidTrie
from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.errors import ArtefactError, InputError, UsageError
from genret.models import load_backbone
from genret.models.weight_adapters.options import AdapterOptions

NEW = ["<a>", "<b>"]
NAMES = [*ENCODER_DECODERS, *CAUSAL]


def trained(name, tmp_path, **options):
    """A backbone of two new tokens with adapters that have learned something, and the logits of its start."""
    base = tmp_path / "base"
    BACKBONES[name]().save_pretrained(base)
    backbone = load_backbone(base)
    ids = backbone.extend_vocabulary(NEW)
    targets = torch.tensor([[5, ids[0], 6, ids[1]], [ids[1], 6, 5, 7]])
    start = backbone(TEXTS[:2], targets).detach()
    backbone.adapt(AdapterOptions(**{"r": 4, **options}), base)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in backbone.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    return backbone, targets, start


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("name", NAMES)
def test_merged_and_kept_exports_are_the_model(name, kind, tmp_path):
    """Of every architecture; that the sums are the same is what `test_merging_is_exact` shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone, targets, start = trained(name, tmp_path, kind=kind, export="adapters")
        expected = backbone(TEXTS[:2], targets).detach()
        assert not close(expected, start, within=0.1)
        with backbone.adapters.off():
            assert_close(backbone(TEXTS[:2], targets), start, ulps=FORWARD, scale=LOGITS)
        assert_close(backbone(TEXTS[:2], targets), expected, ulps=FORWARD, scale=LOGITS)
        backbone.save_pretrained(tmp_path / "kept")
        backbone.adapters.options = AdapterOptions(kind=kind)
        backbone.save_pretrained(tmp_path / "merged")
    for folder in ("kept", "merged"):
        again = load_backbone(tmp_path / folder)
        assert_close(again(TEXTS[:2], targets), expected, ulps=FORWARD, scale=LOGITS)
        assert again.tokenizer.convert_tokens_to_ids(NEW) == backbone.tokenizer.convert_tokens_to_ids(NEW)
        assert all(parameter.requires_grad for parameter in again.parameters())
    assert not (tmp_path / "kept" / "model.safetensors").exists()
    assert not (tmp_path / "merged" / "adapter_config.json").exists()


def test_merging_is_exact(tmp_path):
    """In double precision what is left is rounding of 2**-53 a product, so that in float32 nothing but rounding differs."""
    backbone, targets, _ = trained("llama", tmp_path)
    backbone.double()
    merged = backbone.adapters.merged()
    prompt = torch.tensor([[4, 5, *targets[0].tolist()]])
    found = merged(input_ids=prompt).logits
    assert_close(
        found, backbone.model(input_ids=prompt).logits, within=DOUBLE * float(found.detach().abs().max())
    )


@pytest.mark.parametrize("name", NAMES)
def test_only_adapters_and_new_rows_are_trained(name, tmp_path):
    backbone, targets, _ = trained(name, tmp_path)
    before = {key: one.detach().clone() for key, one in backbone.named_parameters()}
    moving = {key for key, one in backbone.named_parameters() if one.requires_grad}
    assert moving
    assert all("lora_" in key or key.endswith(".rows") for key in moving)
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        log_probs = backbone(TEXTS[:2], targets).log_softmax(-1).gather(-1, targets[..., None])
        losses.append(-float(log_probs.detach().mean()))
        (-log_probs.mean()).backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2
    after = dict(backbone.named_parameters())
    assert all(torch.equal(after[key], before[key]) for key in before if key not in moving)
    assert any(not torch.equal(after[key], before[key]) for key in moving if key.endswith(".rows"))


def test_decoding_sees_the_rows_as_they_are(tmp_path):
    """The search multiplies tables itself; its scores are those of teacher forcing."""
    backbone, targets, _ = trained("t5", tmp_path)
    constraint = TrieConstraint(DocidTrie.build(targets.tolist(), backbone.eos_token_id))
    closed = torch.cat([targets, torch.full((2, 1), backbone.eos_token_id)], 1)
    log_probs = backbone([TEXTS[0]] * 2, closed).log_softmax(-1).gather(-1, closed[..., None])[..., 0].sum(1)
    found = beam_search(backbone, backbone.encode(TEXTS[:1]), constraint, num_beams=2)[0]
    assert_close(
        {one.documents[0]: one.score for one in found}, dict(enumerate(log_probs.tolist())), ulps=FORWARD
    )


def test_peft_reads_what_is_written_and_the_other_way_round(tmp_path):
    """Rows of single tokens among them, in PEFT's own words."""
    import peft

    backbone, targets, _ = trained("llama-tied", tmp_path, export="adapters")
    backbone.save_pretrained(tmp_path / "ours")
    prompt = torch.tensor([[4, 5, *targets[0].tolist()]])
    expected = backbone.model(input_ids=prompt).logits
    base = load_backbone(tmp_path / "base")
    base.extend_vocabulary(NEW)
    theirs = peft.PeftModel.from_pretrained(base.model, tmp_path / "ours")
    assert_close(theirs(input_ids=prompt).logits, expected, ulps=FORWARD, scale=LOGITS)
    theirs.save_pretrained(tmp_path / "theirs")
    again = load_backbone(tmp_path / "theirs")
    assert_close(again.model(input_ids=prompt).logits, expected, ulps=FORWARD, scale=LOGITS)


def test_the_same_seed_gives_the_same_adapters(tmp_path):
    BACKBONES["t5"]().save_pretrained(tmp_path)
    one, same, other = (load_backbone(tmp_path) for _ in range(3))
    for backbone, seed in ((one, 3), (same, 3), (other, 4)):
        torch.rand(seed)
        backbone.adapt(AdapterOptions(targets=["q", "v"]), seed=seed)
    keys = [key for key, parameter in one.named_parameters() if parameter.requires_grad]
    assert {key.split(".")[-4] for key in keys} == {"q", "v"}
    first, second, third = (dict(backbone.named_parameters()) for backbone in (one, same, other))
    assert all(torch.equal(first[key], second[key]) for key in keys)
    assert not all(torch.equal(first[key], third[key]) for key in keys)


def test_what_cannot_be_adapted_is_named(tmp_path):
    backbone = BACKBONES["t5"]()
    with pytest.raises(
        InputError, match=r"adapter.targets: no linear layer is called 'q_proj'; there are k, o, q, "
    ):
        backbone.adapt(AdapterOptions(targets=["v", "q_proj"]))
    with pytest.raises(InputError, match=r"adapter.export: adapters alone belong to a model with a name"):
        backbone.adapt(AdapterOptions(export="adapters"))
    with pytest.raises(InputError, match="ia3 does not know the layers of a umt5"):
        BACKBONES["umt5"]().adapt(AdapterOptions(kind="ia3"))
    with pytest.raises(InputError, match="alpha and dropout are of lora and dora"):
        AdapterOptions(kind="ia3", alpha=2.0)
    backbone.adapt(AdapterOptions(kind="ia3"))
    with pytest.raises(UsageError, match="cannot grow any more"):
        backbone.extend_vocabulary(NEW)


def _rewrite(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _damage(folder):
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({key: one * torch.nan for key, one in tensors.items()}, folder / "adapter_model.safetensors")


def _rename(folder):
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(
        {key.replace("lora_A", "lora_X"): one for key, one in tensors.items()},
        folder / "adapter_model.safetensors",
    )


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (
            lambda folder: _rewrite(folder, base_model_name_or_path=""),
            InputError,
            "expected the folder or hub name",
        ),
        (
            lambda folder: _rewrite(folder, base_model_name_or_path="/absent"),
            InputError,
            "base_model_name_or_path: /absent: no such folder",
        ),
        (
            lambda folder: _rewrite(folder, peft_type="UNHEARD"),
            InputError,
            "its adapters do not fit the model",
        ),
        (
            lambda folder: _rewrite(folder, peft_type="PREFIX_TUNING"),
            InputError,
            "do not fit|is no adapter of weights",
        ),
        (lambda folder: _rewrite(folder, r=8), InputError, "has shape"),
        (
            lambda folder: _rewrite(folder, trainable_token_indices=None),
            InputError,
            "does not say which tokens",
        ),
        (
            lambda folder: _rewrite(folder, trainable_token_indices={"shared": [1]}),
            InputError,
            r"has shape \[2, 32\]",
        ),
        (_damage, ArtefactError, "not finite"),
        (_rename, InputError, "the adapters lack|and the model has no place for"),
        (
            lambda folder: (folder / "adapter_model.safetensors").unlink(),
            InputError,
            "no adapter_model.safetensors",
        ),
        (
            lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x" * 99),
            ArtefactError,
            "damaged",
        ),
        (
            lambda folder: (folder / "adapter_config.json").write_text("[]"),
            InputError,
            "expected a JSON object",
        ),
        (
            lambda folder: BACKBONES["t5-1.1"]().save_pretrained(folder.parent / "base"),
            ArtefactError,
            "not the model that the adapters in .* were trained on: model.safetensors differs",
        ),
    ],
)
def test_a_folder_that_does_not_fit_is_named(tmp_path, harm, error, message):
    backbone, _, _ = trained("t5", tmp_path, export="adapters")
    backbone.save_pretrained(tmp_path / "kept")
    harm(tmp_path / "kept")
    with pytest.raises(error, match=message):
        load_backbone(tmp_path / "kept")
