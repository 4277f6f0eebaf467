"""The command line as a user calls it."""

from __future__ import annotations

import sys

import pytest

from genret.cli import app as cli


def genret(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `genret ARGUMENTS` in this process, on a wide terminal; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["genret", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)
