"""The list of commands: each group is a module beside this one with a `register(app)` function."""

from __future__ import annotations

import typer

from genret.cli import baseline, batch, convert, demo, docid, doctor, embed, eval, fit, index, search, train

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add every command to `app`."""
    for group in (demo, fit, train, search, batch, eval, baseline, convert, embed, docid, index, doctor):
        group.register(app)
