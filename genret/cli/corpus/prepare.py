"""`genret data prepare`: tokenise what a model is trained on, ahead of training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genret.cli.job_options import PartsPlace, RayAddress, ShardOf, Workers, executor_of, say_left

__all__ = ["prepare"]


def prepare(
    config: Annotated[Path, typer.Argument(help="YAML file, as for `genret train`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the packed examples to this folder.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Replace values: data.corpus=FOLDER.")
    ] = None,
    shard: ShardOf = None,
    workers: Workers = None,
    ray: RayAddress = None,
    parts: PartsPlace = None,
) -> None:
    """Tokenise the examples of CONFIG's mixture into shards that `genret train` maps: data.packed=FOLDER.

    Killed, it goes on where it was when the same command is given again.
    """
    executor = executor_of(shard, workers, ray)
    from genret.config import load_config
    from genret.recipes.pack import prepare_recipe
    from genret.recipes.recipe_options import DocidRecipe

    meta = prepare_recipe(load_config(DocidRecipe, config, overrides or []), str(output), executor, parts)
    if meta is None:
        say_left(parts or f"{output}.parts")
        return
    sizes = ", ".join(f"{size:,} {name}" for name, size in meta["sizes"].items())
    typer.echo(f"{output}: {sizes}.", err=True)
