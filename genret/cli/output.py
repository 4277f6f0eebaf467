"""Where a command's result goes: standard output, or a file that is replaced only on demand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from genret.evaluation import ResultTable

__all__ = ["check_output", "draw_table", "emit", "notice"]


def check_output(path: Path | None, overwrite: bool, *, text: bool = True) -> None:
    """Refuse, before any work, an output that cannot be written or must not be replaced.

    Args:
        text: whether it is a text file, which is compressed where its suffix says so.

    Raises:
        InputError: it exists and `overwrite` is false, its folder does not exist, or its suffix promises another
            content.
    """
    from genret.corpus.writing import check_suffix
    from genret.errors import InputError

    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is a pipe or a device, which a file would replace; name a file.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already; choose another name, or pass --overwrite to replace it.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; make it first.")
    check_suffix(path, text=text)


def emit(text: str, path: Path | None) -> None:
    """Write `text` to the file `path`, as `text_writer` does, or to standard output."""
    from genret.corpus.writing import text_writer

    if path is None:
        typer.echo(text, nl=False)
        return
    with text_writer(path) as file:
        file.write(text.encode())


def notice(line: str) -> None:
    """Say something beside the result: on standard error."""
    typer.echo(line, err=True)


def draw_table(table: ResultTable) -> str:
    """A table of results as a terminal shows it, as wide as it needs."""
    from rich.console import Console

    stream = io.StringIO()
    width = 60 + max(map(len, table.rows), default=0) + 24 * len(table.metrics)
    Console(file=stream, width=width).print(table.rich())
    return stream.getvalue()
