"""Options of every command that reads a corpus, or a run over one."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["DropIdentical", "SkipEmpty"]

DropIdentical = Annotated[
    bool,
    typer.Option(
        "--drop-identical-ids",
        help="Leave out hits with the query's own id, as BEIR does: for queries that are themselves passages.",
    ),
]

SkipEmpty = Annotated[
    bool,
    typer.Option("--skip-empty", help="Leave out passages that have neither title nor text, and name them."),
]
