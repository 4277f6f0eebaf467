from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from genret import installation
from genret.cli.app import app
from genret.models import EncoderDecoderBackbone
from tests.genret.backbones import bart_tokenizer
from tests.genret.models.architectures import ARCHITECTURES


def test_a_complete_installation_has_nothing_missing() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "torch" in result.stdout
    assert "compiled" in result.stdout
    assert "MISSING" not in result.stdout


def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "REQUIRED", ("torch", "no-such-package"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "pip install no-such-package" in result.stdout


def test_a_missing_optional_package_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "OPTIONAL", {"no-such-package": "only for this and that"})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "only for this and that" in result.stdout


def test_a_model_s_shortcuts_are_told(tmp_path: Path) -> None:
    backbone = EncoderDecoderBackbone(ARCHITECTURES["BlenderbotSmall"]().model, bart_tokenizer())
    backbone.save_pretrained(tmp_path)
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any("shared attention" in line and line.endswith(" on") for line in lines)
    assert any("tails in one pass" in line and line.endswith(" off") for line in lines)
    assert any("not exact, so not used" in line and "tails in one pass" in line for line in lines)
