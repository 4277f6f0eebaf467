"""`genret train`: a training run as a configuration describes it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.models.plan_view import show_plan
from genret.cli.numbers import finite

if TYPE_CHECKING:
    from genret.recipes.from_configuration import AnyRecipe

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
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what memory and time the run would need.")
    ] = False,
    processes: Annotated[int, typer.Option(help="For --plan: how many devices.", min=1, max=1 << 20)] = 1,
    rate: Annotated[
        float | None,
        typer.Option(help="For --plan: tokens per second, as measured.", min=1e-9, max=1e15, callback=finite),
    ] = None,
    new_tokens: Annotated[
        int,
        typer.Option(help="For --plan: docid tokens that the vocabulary will grow by.", min=0, max=1 << 32),
    ] = 0,
) -> None:
    """Train what CONFIG describes; the model folder is OUTPUT/model, ready for `genret search`.

    Where a checkpoint before the last evaluated best, that one is OUTPUT/model and the last is OUTPUT/model-last.
    A configuration with a section `retrieval` makes an n-gram retriever, any other one of docids.
    """
    from genret.errors import UsageError
    from genret.recipes.from_configuration import load_recipe
    from genret.recipes.recipe_options import DocidRecipe

    if resume and overwrite:
        raise UsageError("--resume goes on with a run and --overwrite discards it; give one of the two.")
    recipe = load_recipe(config, overrides or [])
    if plan:
        if not isinstance(recipe, DocidRecipe):
            raise UsageError("--plan knows training of docids; CONFIG describes an n-gram retriever.")
        show_plan(recipe, processes, rate, new_tokens)
        return
    _run(recipe, resume, overwrite)


def _run(recipe: AnyRecipe, resume: bool, overwrite: bool) -> None:
    """Train and save; in a run of several processes, the first alone touches the output folder."""
    from genret.recipes.from_configuration import run_any_recipe
    from genret.recipes.run_folder import MODEL, run_folder
    from genret.training.engines.processes import World

    output, world = Path(recipe.output), World.join()

    def announce(line: str) -> None:
        if world.is_first:
            typer.echo(line, err=True)

    with ExitStack() as stack:
        with world.together():
            if world.is_first:
                stack.enter_context(run_folder(output, resume=resume, overwrite=overwrite))
        for name, retriever in run_any_recipe(recipe, resume=resume, announce=announce):
            with world.together():
                if world.is_first:
                    retriever.save_pretrained(output / name, overwrite=True)
                    typer.echo(str(output / name), err=name != MODEL)
    world.leave()
