"""`genret add`, `remove`, `update`, `compact`: the passages of a model folder, changed where it stands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus_options import Corpus, reads_corpus
from genret.corpus.corpus_options import AS_IS, CorpusOptions

if TYPE_CHECKING:
    from genret.corpus.store import PassageStore
    from genret.retrieval.changes import Change

__all__ = ["register"]

Model = Annotated[
    Path, typer.Argument(help="Model folder, as `genret fit` or `genret train` writes it; it is replaced.")
]
Device = Annotated[
    str | None,
    typer.Option(help="Where passages are encoded: cpu, cuda, ...; default: the GPU if there is one."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (add, remove, update, compact):
        app.command(command.__name__)(command)


@reads_corpus
def add(
    model: Model,
    new: Corpus,
    reading: CorpusOptions = AS_IS,
    dry_run: DryRun = False,
    device: Device = None,
) -> None:
    """Add passages to MODEL; only these are encoded. Passages that it has already are refused: update them."""
    from genret.corpus import read_store
    from genret.retrieval.changes import add_passages

    def plan(store: PassageStore) -> Change:
        return add_passages(store, read_store(new, reading.split_as(store.split, str(model))))

    _change(model, plan, dry_run, device)


def remove(
    model: Model,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Passage ids; - reads them from standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--ids", metavar="FILE", help="A file of passage ids, one a line.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Remove the passages of these IDS from MODEL."""
    from genret.errors import UsageError
    from genret.retrieval.changes import remove_passages

    if (not ids) == (file is None):
        raise UsageError(
            "name the passages to remove: IDS, or --ids FILE (- is standard input), and not both."
        )
    listed = list(_read_ids(file)) if file is not None else ids or []
    if listed == ["-"]:
        listed = list(_read_ids(Path("-")))
    _change(model, lambda store: remove_passages(store, listed), dry_run, "cpu")


@reads_corpus
def update(
    model: Model,
    corpus: Corpus,
    reading: CorpusOptions = AS_IS,
    dry_run: DryRun = False,
    device: Device = None,
) -> None:
    """Make the passages of MODEL those of CORPUS: adds, changes and removes, by id and content."""
    from genret.corpus import read_store
    from genret.retrieval.changes import update_passages

    def plan(store: PassageStore) -> Change:
        return update_passages(store, read_store(corpus, reading.split_as(store.split, str(model))))

    _change(model, plan, dry_run, device)


def compact(model: Model) -> None:
    """Merge what changes have left of MODEL in pieces into one; its answers stay the same."""
    from genret.retrieval.model_folder import compact_folder

    if not compact_folder(model, announce=_tell):
        _tell("nothing to merge: it is in one piece")


def _change(model: Path, plan: Callable[[PassageStore], Change], dry_run: bool, device: str | None) -> None:
    from genret.retrieval.model_folder import change_folder

    change_folder(model, plan, device=device, dry_run=dry_run, announce=_tell)


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _read_ids(file: Path) -> Iterator[str]:
    """The lines of a file, or of standard input where it is `-`; blank ones are none."""
    from genret.errors import InputError

    name = "standard input" if str(file) == "-" else str(file)
    if str(file) != "-" and not file.is_file():
        raise InputError(f"{file}: no such file; expected passage ids, one a line.")
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{name}: line {line} is no text in UTF-8; expected passage ids, one a line."
        ) from error
    return (line.removesuffix("\r") for line in lines if line.strip())
