from __future__ import annotations

import pytest
from typer.testing import CliRunner

from genret import doctor
from genret.cli.app import app


def test_a_complete_installation_has_nothing_missing() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "torch" in result.stdout
    assert "compiled" in result.stdout
    assert "MISSING" not in result.stdout


def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", ("torch", "no-such-package"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "pip install no-such-package" in result.stdout


def test_a_missing_optional_package_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-package": "only for this and that"})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "only for this and that" in result.stdout
