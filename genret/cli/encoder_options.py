"""The options of every command that embeds texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CacheFolder", "EncoderName", "MaxLength"]

EncoderName = Annotated[
    str | None,
    typer.Option(help="A sentence encoder's folder or hub name; default: the packaged all-MiniLM-L6-v2."),
]
MaxLength = Annotated[int, typer.Option(help="Tokens read of each text.", min=3, max=1 << 20)]
CacheFolder = Annotated[
    Path | None, typer.Option(help="Folder that keeps the vectors; default: in the user's cache.")
]
