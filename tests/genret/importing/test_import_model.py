"""Published checkpoints become model folders with the same probabilities and the right tokens; others are refused."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import pickle
import shutil
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import published
import pytest
import torch
from floats import FORWARD, assert_close, close
from hypothesis import given, settings
from hypothesis import strategies as st

from genret.artefact import check_folder
from genret.errors import InputError, UsageError
from genret.importing import TorchFile, import_model
from genret.importing.folder import KIND, VERSION
from genret.importing.inert import InertRecord, find_inert
from genret.importing.torch_file import TensorReference
from genret.models import load_backbone

TEXT = "ab a @ [ab]"


def logits(model: Any, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=source, decoder_input_ids=target).logits
        return found


def save(content: Any, path: Path, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def fairseq_folder(folder: Path, *, legacy: bool = False, cfg: bool = False, vocabulary: int = 15) -> Any:
    folder.mkdir()
    model = published.bart(vocabulary)
    save(published.fairseq_content(model, cfg=cfg), folder / "model.pt", legacy)
    published.write_fairseq_tokenizer(folder)
    return model


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("cfg", [False, True])
def test_fairseq_bart_keeps_every_logit(legacy: bool, cfg: bool, tmp_path: Path) -> None:
    model = fairseq_folder(tmp_path / "published", legacy=legacy, cfg=cfg)
    import_model(tmp_path / "published", tmp_path / "model", like="genre")
    backbone: Any = load_backbone(tmp_path / "model")
    source, target = torch.tensor([[0, 5, 7, 2]]), torch.tensor([[2, 5, 9]])
    assert torch.equal(logits(backbone.model, source, target), logits(model, source, target))
    assert check_folder(tmp_path / "model", kind=KIND, version=VERSION)["like"] == "genre"
    assert not list((tmp_path / "model").glob("*.pt"))


def test_the_tokenizer_is_fairseqs(tmp_path: Path) -> None:
    fairseq_folder(tmp_path / "published")
    import_model(tmp_path / "published", tmp_path / "model", like="genre")
    backbone = load_backbone(tmp_path / "model")
    expected = published.fairseq_tokens()
    ids = backbone.tokenizer(TEXT)["input_ids"]
    pieces = ["<s>", "ab", "Ġa", "Ġ", "@", "Ġ", "[", "ab", "]", "</s>"]
    assert ids == [expected.index(piece) for piece in pieces]
    assert backbone.tokenizer.decode(ids, skip_special_tokens=True) == TEXT
    assert backbone.tokenizer("x", add_special_tokens=False)["input_ids"] == [3]


@pytest.mark.parametrize(("like", "first"), [("genre", "ab"), ("corpusbrain", "ab"), ("seal", "Ġab")])
def test_the_first_word_is_spelled_as_each_system_spells_it(like: str, first: str, tmp_path: Path) -> None:
    fairseq_folder(tmp_path / "published")
    import_model(tmp_path / "published", tmp_path / "model", like=like)
    tokenizer = load_backbone(tmp_path / "model").tokenizer
    assert tokenizer.convert_ids_to_tokens(tokenizer("ab", add_special_tokens=False)["input_ids"]) == [first]


def test_decoding_starts_at_the_end_token_and_forces_nothing(tmp_path: Path) -> None:
    published.bart().save_pretrained(tmp_path / "bart")
    published.bart_tokenizer().save_pretrained(tmp_path / "bart")
    import_model(tmp_path / "bart", tmp_path / "as-it-is")
    import_model(tmp_path / "bart", tmp_path / "genre", like="genre")
    backbones: list[Any] = [load_backbone(tmp_path / name) for name in ("as-it-is", "genre")]
    assert [one.model.config.decoder_start_token_id for one in backbones] == [2, 2]
    assert [one.model.generation_config.forced_bos_token_id for one in backbones] == [0, None]
    texts = [one.encode(["ab"]) for one in backbones]
    first = [one.logits(one.start(text)[0])[0] for one, text in zip(backbones, texts, strict=True)]
    assert not close(first[0], first[1], ulps=FORWARD)


def test_a_tokenizer_with_more_tokens_than_rows_changes_no_probability(tmp_path: Path) -> None:
    model = fairseq_folder(tmp_path / "published", vocabulary=14)
    import_model(tmp_path / "published", tmp_path / "model", like="seal")
    backbone: Any = load_backbone(tmp_path / "model")
    source, target = torch.tensor([[0, 5, 7, 2]]), torch.tensor([[2, 5, 9]])
    found = logits(backbone.model, source, target).log_softmax(-1)
    assert found.shape[-1] == 15
    assert_close(found[..., :14], logits(model, source, target).log_softmax(-1), ulps=FORWARD)
    assert float(found[..., 14].max()) < -1e8


def test_a_tokenizer_by_name_in_place_of_fairseqs_files(tmp_path: Path) -> None:
    model = published.bart()
    path = save(published.fairseq_content(model), tmp_path / "SEAL.pt")
    with pytest.raises(UsageError, match="name one with --tokenizer"):
        import_model(path, tmp_path / "model", like="seal")
    published.bart_tokenizer().save_pretrained(tmp_path / "tokenizer")
    import_model(path, tmp_path / "model", like="seal", tokenizer=str(tmp_path / "tokenizer"))
    tokenizer = load_backbone(tmp_path / "model").tokenizer
    assert tokenizer.convert_ids_to_tokens(tokenizer("ab")["input_ids"]) == ["<s>", "Ġab", "</s>"]


@pytest.mark.parametrize("build", [published.bart, published.t5])
@pytest.mark.parametrize("legacy", [False, True])
def test_hugging_face_folders_with_a_pickle_keep_every_logit(
    build: Any, legacy: bool, tmp_path: Path
) -> None:
    model, folder = build(), tmp_path / "published"
    model.save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    published.bart_tokenizer().save_pretrained(folder)
    save(model.state_dict(), folder / "pytorch_model.bin", legacy)
    import_model(folder, tmp_path / "model")
    backbone: Any = load_backbone(tmp_path / "model")
    source, target = torch.tensor([[0, 5, 7, 2]]), torch.tensor([[1, 5, 9]])
    assert torch.equal(logits(backbone.model, source, target), logits(model, source, target))
    assert backbone.model.config.decoder_start_token_id == model.config.decoder_start_token_id


class Touch:
    """A pickle that makes a file when an ordinary reader opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(legacy: bool, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = save({"model": Touch(mark), "weight": torch.ones(2)}, tmp_path / "evil.pt", legacy)
    with pytest.raises(
        InputError, match=r"evil\.pt: it names (posix|nt|os)\.system, which is neither a tensor"
    ):
        import_model(path, tmp_path / "model", tokenizer="unused")
    assert not mark.exists()


@pytest.mark.parametrize("target", [eval, getattr, __import__, pickle.loads, shutil.rmtree, print])
def test_functions_are_never_found(target: Any, tmp_path: Path) -> None:
    class Calls:
        def __reduce__(self) -> tuple[Any, ...]:
            return target, ("1", "2")

    path = save(Calls(), tmp_path / "evil.pt")
    with pytest.raises(InputError, match="neither a tensor nor a setting"):
        TorchFile(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_every_dtype_view_and_container_reads_as_torch_reads_it(legacy: bool, tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    content = {
        "views": [base.t(), base[1:, ::2], base[2], torch.nn.Parameter(base)],
        "dtypes": [
            torch.arange(5).to(dtype)
            for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.int64)
        ],
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "ordered": collections.OrderedDict(a=base),
    }
    file = TorchFile(save(content, tmp_path / "c.pt", legacy))
    for name in ("views", "dtypes"):
        for reference, expected in zip(file.content[name], content[name], strict=True):
            assert torch.equal(file.tensor(reference), expected.detach())
    assert file.tensor(file.content["empty"]).shape == (0, 3)
    assert file.tensor(file.content["scalar"]) == 2.5
    assert torch.equal(file.tensor(file.content["ordered"]["a"]), base)


def test_settings_come_back_as_records_that_do_nothing(tmp_path: Path) -> None:
    content = {
        "args": argparse.Namespace(x=1),
        "numpy": np.float32(2),
        "default": collections.defaultdict(list, a=[1]),
    }
    file = TorchFile(save(content, tmp_path / "c.pt"))
    assert file.content["args"].state == {"x": 1}
    assert type(file.content["default"]).__name__ == "InertRecord"


BROKEN: dict[str, Any] = {
    "nothing": b"",
    "text": b"not a checkpoint at all\n",
    "a plain pickle": pickle.dumps({"a": 1}),
    "a zip of something else": None,
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_other_files_are_refused_with_a_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    if BROKEN[name] is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "x")
    else:
        path.write_bytes(BROKEN[name])
    with pytest.raises(InputError, match=r"file\.pt: .*no checkpoint of torch\.save"):
        TorchFile(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("model"), "expected its weights under 'model'"),
        (lambda content: content["model"].pop("encoder.layernorm_embedding.weight"), "no BART of fairseq"),
        (lambda content: content["model"].update({"decoder.output_projection.weight": torch.ones(15, 32)}), "shares one table"),
        (lambda content: content["model"].update({"encoder.layer_norm.weight": torch.ones(32)}), "not BART's layout"),
        (lambda content: content["model"].update({"strange": "text"}), "not BART's layout: strange"),
        (lambda content: content["model"].pop("decoder.layers.0.fc2.weight"), "lack 1 tensors"),
    ],
)  # fmt: skip
def test_other_fairseq_models_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    content = published.fairseq_content(published.bart())
    change(content)
    published.write_fairseq_tokenizer(tmp_path)
    path = save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=words):
        import_model(path, tmp_path / "model", like="genre")
    assert not (tmp_path / "model").exists()


def test_a_checkpoint_of_another_byte_order_is_refused(tmp_path: Path) -> None:
    path = save({"model": {"w": torch.ones(2)}}, tmp_path / "little.pt")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "big.pt", "w") as other:
        names = archive.namelist()
        assert sum(name.endswith("/byteorder") for name in names) == 1
        for name in names:
            other.writestr(name, b"big" if name.endswith("/byteorder") else archive.read(name))
    with pytest.raises(InputError, match=r"big\.pt: its bytes are in big-endian order"):
        TorchFile(tmp_path / "big.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (2, 4)},
        {"shape": (3, 3)},
        {"stride": (4, 1)},
        {"stride": (-3, 1)},
    ],
)
def test_a_tensor_outside_its_storage_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    file = TorchFile(save({"w": torch.arange(6.0).reshape(2, 3)}, tmp_path / "c.pt"))
    assert file.tensor(file.content["w"]).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    with pytest.raises(InputError, match="lies outside its storage"):
        file.tensor(dataclasses.replace(file.content["w"], **change))


def test_only_whole_names_of_packages_are_known() -> None:
    assert find_inert("fairseq.data", "Dictionary") is find_inert("fairseq", "x") is InertRecord
    for module in ("fairseq_evil", "numpyx.core", "transformers.training", "os"):
        with pytest.raises(InputError, match=f"it names {module}.system"):
            find_inert(module, "system")


def tensors_read(path: Path) -> int:
    """How many weights of a file were read, each in the shape that the file says."""
    file = TorchFile(path)
    weights = file.content["model"] if isinstance(file.content, dict) and "model" in file.content else {}
    found = [
        one
        for one in (weights.values() if isinstance(weights, dict) else ())
        if isinstance(one, TensorReference)
    ]
    for one in found:
        assert file.tensor(one).shape == one.shape
    return len(found)


@pytest.mark.parametrize("bit", [0, 5, 6])
def test_an_archive_that_says_it_is_encrypted_or_patched_is_a_sentence(bit: int, tmp_path: Path) -> None:
    """The flags of every member, in the archive's directory and before the member itself."""
    path = save({"w": torch.zeros(2)}, tmp_path / "c.pt", False)
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        begin = raw.find(mark)
        assert begin >= 0
        while begin >= 0:
            raw[begin + place] |= 1 << bit
            begin = raw.find(mark, begin + 4)
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=r"c\.pt"):
        tensors_read(path)


@cache
def whole(legacy: bool) -> bytes:
    """A checkpoint, made once: a legacy one holds the numbers of objects, and is of another length each time."""
    with tempfile.TemporaryDirectory() as folder:
        content = {"model": {"w": torch.arange(6.0).reshape(2, 3)}, "args": argparse.Namespace(a=1)}
        path = save(content, Path(folder) / "c.pt", legacy)
        assert tensors_read(path) == 1
        return path.read_bytes()


@pytest.mark.parametrize("legacy", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_never_reads_outside_and_ends_in_a_sentence(legacy: bool, data: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, raw = Path(folder) / "c.pt", bytearray(whole(legacy))
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]))
        with suppress(InputError):
            assert tensors_read(path) <= 1


def test_what_cannot_be_imported_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no config\.json"):
        import_model(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        import_model(tmp_path / "none", tmp_path / "out")
    with pytest.raises(UsageError, match="no conventions of that name"):
        import_model(tmp_path / "empty", tmp_path / "out", like="bert")
    (tmp_path / "empty" / "config.json").write_text(json.dumps({"model_type": "bart"}))
    with pytest.raises(InputError, match="no weights; expected"):
        import_model(tmp_path / "empty", tmp_path / "out")
