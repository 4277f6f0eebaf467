"""The command line as a user calls it."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import pytest
import typer

from genret.cli import app as cli


@cache
def built() -> Any:
    """The commands; typer takes a twentieth of a second to build them, at every call."""
    return typer.main.get_command(cli.app)


def genret(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `genret ARGUMENTS` in this process, on a wide terminal; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["genret", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(cli, "app", built())
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)
