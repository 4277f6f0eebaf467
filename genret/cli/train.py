"""`genret train`: a training run as a configuration describes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("train")(train)


def train(
    config: Annotated[Path, typer.Argument(help="YAML file; see configs/ for examples.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Replace values: codebook.max_steps=100."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest complete checkpoint of each stage.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output folder.")
    ] = False,
) -> None:
    """Train what CONFIG describes; the model folder is OUTPUT/model, ready for `genret search`."""
    from genret.config import load_config
    from genret.errors import InputError, UsageError
    from genret.training.recipe import Recipe, run_recipe

    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of the two.")
    recipe = load_config(Recipe, config, overrides or [])
    output = Path(recipe.output)
    if output.exists() and not (resume or overwrite):
        raise InputError(
            f"{output} exists already; pass --resume to go on with the run in it, --overwrite to replace it, or "
            "output=FOLDER to choose another."
        )
    if overwrite:
        shutil.rmtree(output, ignore_errors=True)
    trained = run_recipe(recipe, resume=resume)
    from genret.retriever import GenerativeRetriever, SearchSettings

    settings = SearchSettings(num_beams=recipe.search.num_beams, score=recipe.search.score)
    retriever = GenerativeRetriever(trained.backbone, trained.table, trained.passages, settings=settings)
    retriever.save_pretrained(output / "model", overwrite=True)
    typer.echo(str(output / "model"))
