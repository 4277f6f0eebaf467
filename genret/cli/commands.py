"""The list of commands: each group is a module beside this one with a `register(app)` function."""

from __future__ import annotations

import typer

from genret.cli import doctor
from genret.cli.corpus import convert, data, docid, embed, index, negatives, queries, tokenizer
from genret.cli.models import change, demo, fit, import_, study, train
from genret.cli.retrieval import baseline, batch, browse, compare, eval, search, serve

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add every command to `app`."""
    making = (fit, data, queries, negatives, tokenizer, train, study)
    searching = (search, serve, batch, eval, compare, browse, baseline, convert)
    for group in (demo, *making, change, *searching, import_, embed, docid, index, doctor):
        group.register(app)
