from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from genret.cli.models import demo as command
from genret.demo import collection, walkthrough
from genret.errors import InputError


@pytest.fixture
def app() -> typer.Typer:
    found = typer.Typer()
    command.register(found)
    found.command("other")(lambda: None)
    return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command handed to the library, which does nothing here."""
    found: dict[str, Any] = {"asked": 0}

    def run_demo(console: Any, corpus: Any, options: Any, stages: Any) -> str:
        found.update(corpus=corpus, options=options, stages=[one.name for one in stages.finished])
        return "retriever"

    monkeypatch.setattr(collection, "stdlib_collection", lambda folder: ("stdlib", folder))
    monkeypatch.setattr(collection, "judged_collection", lambda place, folder: ("judged", place, folder))
    monkeypatch.setattr(walkthrough, "run_demo", run_demo)
    monkeypatch.setattr(walkthrough, "ask", lambda *_: found.update(asked=1))
    return found


def test_defaults_lie_in_the_users_cache(
    app: typer.Typer, calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0
    folder = tmp_path / "genret" / f"demo-python{sys.version_info.major}.{sys.version_info.minor}"
    assert calls["corpus"] == ("stdlib", folder / "corpus")
    assert (calls["options"].folder, calls["options"].retrain) == (folder, False)
    assert calls["stages"] == ["read the documentation"]
    assert calls["asked"] == 0  # the runner's input is no terminal
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command._cache_folder(Path("some/boolq.whl")) == tmp_path / ".cache" / "genret" / "demo-boolq"


def test_options_reach_the_library(app: typer.Typer, calls: dict[str, Any], tmp_path: Path) -> None:
    line = ["demo", "--boolq", "questions", "--output", str(tmp_path), "--minutes", "2.5", "--retrain"]
    assert CliRunner().invoke(app, line).exit_code == 0
    assert calls["corpus"] == ("judged", Path("questions"), tmp_path / "corpus")
    assert (calls["options"].minutes, calls["options"].retrain) == (2.5, True)


def test_at_a_terminal_the_prompt_follows(
    calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    command.demo(output=tmp_path)
    assert calls["asked"] == 1


def test_questions_that_are_not_there_are_a_sentence(app: typer.Typer, tmp_path: Path) -> None:
    line = ["demo", "--boolq", str(tmp_path / "nothing"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, line)
    assert isinstance(result.exception, InputError)
    assert str(tmp_path / "nothing") in str(result.exception)
    assert not (tmp_path / "out").exists()
