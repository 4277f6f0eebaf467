"""`genret import`: a published checkpoint as a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("import")(import_)


def import_(
    source: Annotated[
        str, typer.Argument(help="A folder or hub name (BART, T5), or a checkpoint of fairseq's BART.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the model folder here.")],
    like: Annotated[
        str | None, typer.Option(help="Whose conventions the texts follow: genre, corpusbrain or seal.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="A tokenizer's folder or hub name, where SOURCE has none.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Make a model folder, with safetensors, of SOURCE; pickles are read without running anything in them."""
    from genret.errors import InputError
    from genret.importing import import_model

    if output.exists() and not overwrite:
        raise InputError(f"{output} exists already; choose another name, or pass --overwrite to replace it.")
    import_model(source, output, like=like, tokenizer=tokenizer, overwrite=overwrite)
    typer.echo(f"{output}: a model folder of {source}", err=True)
