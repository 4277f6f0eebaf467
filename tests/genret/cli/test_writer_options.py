"""A model that writes texts is looked for before its job is begun, whoever runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from backbones import llama
from typer.testing import CliRunner

from genret.cli.app import app


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"id": "a", "title": "A", "text": "alpha beta gamma"}\n')
    return path


@pytest.mark.parametrize("command", [["queries", "generate"], ["negatives", "imagine"]])
@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("vllm:nowhere/at/all", "no such folder"),
        ("nowhere/at/all", "no such folder"),
        ("vllm:.", "no config.json"),
        ("vllm:there", "needs vllm: pip install 'genret[vllm]'"),
    ],
)
def test_no_job_is_begun_with_a_model_that_is_not_there(
    command: list[str], model: str, sentence: str, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus.parent)
    if model == "vllm:there":
        llama().save_pretrained(corpus.parent / "there")
        monkeypatch.setattr("genret.models.loading.find_spec", lambda name: None)
    (corpus.parent / "queries.jsonl").write_text('{"id": "q", "text": "alpha", "passages": ["a"]}\n')
    done = CliRunner().invoke(app, [*command, str(corpus), "-o", "job", "--model", model])
    assert done.exit_code != 0
    assert sentence in str(done.exception)
    assert not (corpus.parent / "job").exists()
