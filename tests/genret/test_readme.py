"""The README's Python examples run as printed, with tiny models in place of real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from backbones import t5
from typer.testing import CliRunner

from genret.cli.app import app
from genret.retrieval.docids import GenerativeRetriever

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_retriever_example(
    tiny_retriever: GenerativeRetriever, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_retriever.save_pretrained(tmp_path / "MODEL")
    (block,) = [one for one in BLOCKS if "GenerativeRetriever" in one]
    exec(block.replace("MODEL", str(tmp_path / "MODEL")), {})
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_the_constrained_decoding_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    t5().save_pretrained(tmp_path / "t5")
    (block,) = [one for one in BLOCKS if "TrieConstraint" in one]
    exec(block.replace("path/or/hub-name", str(tmp_path / "t5")), {})
    printed = capsys.readouterr().out
    assert sorted(re.findall(r"\['(.*)'\]", printed)) == ["Berlin", "Paris", "Paris (disambiguation)"]


def test_every_command_in_the_table_exists() -> None:
    named = set(re.findall(r"^\| `genret (\w+)", README.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert len(named) >= 8
    for command in named:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


def test_the_full_text_index_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [one for one in BLOCKS if "FMIndex" in one]
    exec(block, {})
    assert (tmp_path / "corpus.fmi").is_file()
