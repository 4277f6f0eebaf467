"""No folder's code is run, whatever waits on standard input; what foreign parsers raise is an error of ours."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backbones import bert2bert, sentence_encoder, t5

from genret.errors import ArtefactError, InputError
from genret.hub import open_pretrained
from genret.models.loading import load_backbone
from genret.tokenizer.load import load_tokenizer

ROOT = Path(__file__).resolve().parents[3]
PLANTED = "import pathlib\npathlib.Path(__file__).with_name('RAN').write_text('y')\n"
# Classes that the planted module would have; their bodies do not matter: the import alone leaves a trace.
CODE = PLANTED + "class Config: pass\nclass Model: pass\nclass Words: pass\n"
MAPS: dict[str, dict[str, Any]] = {
    "a model that transformers lacks": {
        "config.json": {
            "model_type": "planted",
            "auto_map": {"AutoConfig": "planted.Config", "AutoModelForSeq2SeqLM": "planted.Model"},
        }
    },
    "a class that transformers lacks": {
        "config.json": {"auto_map": {"AutoModelForCausalLM": "planted.Model", "AutoModel": "planted.Model"}}
    },
    "the tokenizer": {
        "tokenizer_config.json": {
            "tokenizer_class": "Words",
            "auto_map": {"AutoTokenizer": ["planted.Words", None]},
        }
    },
    "generation": {
        "generation_config.json": {
            "custom_generate": "planted",
            "auto_map": {"GenerationConfig": "planted.C"},
        },
        "custom_generate/generate.py": CODE + "def generate(model, **inputs): pass\n",
    },
}
LOAD = """
import json, sys
from genret.errors import ArtefactError, InputError
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.models.loading import load_backbone
from genret.tokenizer.load import load_tokenizer

def outcome(load, folder):
    try:
        load(folder)
    except (InputError, ArtefactError) as error:
        return str(error)
    return "loaded"

loads = {
    "model": load_backbone,
    "tokenizer": load_tokenizer,
    "encoder": SentenceEncoder.load,
    "causal": lambda folder: load_backbone(folder, kind="causal"),
}
print(json.dumps([{name: outcome(load, folder) for name, load in loads.items()} for folder in sys.argv[1:]]))
"""


def plant(folder: Path, files: dict[str, Any]) -> Path:
    t5().save_pretrained(folder)
    (folder / "planted.py").write_text(CODE)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, dict):
            before = json.loads(path.read_bytes()) if path.is_file() else {}
            content = json.dumps({**before, **content})
        path.write_text(content)
    return folder


def test_nothing_is_run_though_standard_input_says_yes(tmp_path: Path) -> None:
    folders = [str(plant(tmp_path / str(number), files)) for number, files in enumerate(MAPS.values())]
    command = [sys.executable, "-c", LOAD, *folders]
    done = subprocess.run(command, input="y\n" * 99, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Do you wish" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("RAN"))
    found = dict(zip(MAPS, json.loads(done.stdout.splitlines()[-1]), strict=True))
    lacking, foreign = found["a model that transformers lacks"], found["a class that transformers lacks"]
    assert "needs code from the folder, and none is ever run" in lacking["model"]
    assert "needs code from the folder, and none is ever run" in foreign["causal"]
    # What transformers has itself is loaded without the code.
    assert foreign["model"] == found["generation"]["model"] == "loaded"


def test_code_for_a_part_is_refused(tmp_path: Path) -> None:
    bert2bert().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_bytes())
    content["decoder"]["auto_map"] = {"AutoModelForCausalLM": "planted.Model"}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="auto_map names code for a part"):
        load_backbone(tmp_path)


def test_a_pickle_is_no_weights(tmp_path: Path) -> None:
    import torch

    t5().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"shared.weight": torch.zeros(3)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_backbone(tmp_path)


def words(folder: Path) -> Path:
    sentence_encoder().tokenizer.save_pretrained(folder)
    return folder / "tokenizer.json"


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_bytes())
        change(content)
        path.write_text(json.dumps(content))

    return edit


def unigram_without_unknown(content: dict[str, Any]) -> None:
    content["model"] = {"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]], "byte_fallback": False}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "no object": lambda path: path.write_text("[]"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "empty": lambda path: path.write_bytes(b""),
    "unknown model": edited(lambda c: c["model"].update(type="Trie")),
    "no model": edited(lambda c: c.pop("model")),
    "unknown normalizer": edited(lambda c: c.update(normalizer={"type": "Upside"})),
    "charsmap": edited(
        lambda c: c.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"})
    ),
    "pattern": edited(
        lambda c: c.update(
            pre_tokenizer={
                "type": "Split",
                "pattern": {"Regex": "(("},
                "behavior": "Isolated",
                "invert": False,
            }
        )
    ),
    "unigram": edited(unigram_without_unknown),
    "version": edited(lambda c: c.update(version="9.0")),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_tokenizer_is_named_and_nothing_is_printed(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = words(tmp_path)
    DAMAGES[kind](path)
    with pytest.raises((InputError, ArtefactError), match=str(tmp_path)):
        load_tokenizer(tmp_path)
    assert "panicked" not in capfd.readouterr().err


class Panicking:
    """As a parser in Rust: prints past Python, and raises what is no `Exception`."""

    class PanicException(BaseException):
        pass

    @classmethod
    def from_pretrained(cls, folder: Path, **options: Any) -> None:
        import os

        os.write(2, b"thread '<unnamed>' panicked at src/lib.rs\n")
        raise cls.PanicException("no entry found for key")


def test_a_panic_is_an_error_of_ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArtefactError, match=r"tokenizer are damaged.*no entry found"):
        open_pretrained(Panicking, tmp_path, "tokenizer")
    assert capfd.readouterr().err == ""


def test_what_is_printed_while_all_goes_well_is_passed_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Warning_:
        @classmethod
        def from_pretrained(cls, folder: Path, **options: Any) -> str:
            sys.stderr.write("an old format\n")
            return "loaded"

    assert open_pretrained(Warning_, tmp_path, "tokenizer") == "loaded"
    assert capfd.readouterr().err == "an old format\n"


def test_there_is_one_door() -> None:
    """transformers' `from_pretrained` is called in hub.py alone; our retrievers have methods of that name."""
    ours, doors = {"GenerativeRetriever", "NgramRetriever", "kind"}, set()
    for folder in ("genret", "docid", "fm_index", "scripts", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr == "from_pretrained":
                    owner = node.value.id if isinstance(node.value, ast.Name) else ""
                    assert owner in ours or path.name == "hub.py", f"{path}:{node.lineno}"
                    doors.add(path.relative_to(ROOT).as_posix())
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_config":
                    given = {keyword.arg for keyword in node.keywords}
                    assert "trust_remote_code" in given, f"{path}:{node.lineno}"
    assert "genret/hub.py" in doors
