"""The option of every command that reads a corpus."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["SkipEmpty"]

SkipEmpty = Annotated[
    bool,
    typer.Option("--skip-empty", help="Leave out passages that have neither title nor text, and name them."),
]
