from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

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


def installed(needed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the installed metadata said this of what is needed, beside an extra `more`."""
    fields = EmailMessage()
    fields["Provides-Extra"] = "more"
    monkeypatch.setattr(
        installation, "distribution", lambda name: SimpleNamespace(requires=needed, metadata=fields)
    )


def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(["torch>=2", "no-such-package>=3", "numpy>=1000"], monkeypatch)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "(pip install 'no-such-package>=3')" in result.stdout
    assert "(pip install 'numpy>=1000')" in result.stdout
    assert "(pip install 'torch" not in result.stdout


def test_a_missing_extra_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(["torch", 'numpy; extra == "more"', 'no-such-package>=3; extra == "more"'], monkeypatch)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "extra more                without no-such-package  (pip install 'genret[more]')" in result.stdout


def test_a_model_s_shortcuts_are_told(tmp_path: Path) -> None:
    backbone = EncoderDecoderBackbone(ARCHITECTURES["BlenderbotSmall"]().model, bart_tokenizer())
    backbone.save_pretrained(tmp_path)
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any("shared attention" in line and line.endswith(" on") for line in lines)
    assert any("tails in one pass" in line and line.endswith(" off") for line in lines)
    assert any("not exact, so not used" in line and "tails in one pass" in line for line in lines)
