"""`genret data`: look at what a model would be trained on, before any training; make a task to test it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genret.cli.corpus.make_limit import limit
from genret.cli.corpus.prepare import prepare
from genret.tokenizer.interface import Tokenizer

if TYPE_CHECKING:
    from genret.corpus import PassageStore
    from genret.recipes.from_configuration import AnyRecipe
    from genret.training.examples.sources import Pair

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(help="What a model is trained on; a task to test it.")
    group.command("show")(show)
    group.command("prepare")(prepare)
    group.command("limit")(limit)
    app.add_typer(group, name="data")


def show(
    config: Annotated[Path, typer.Argument(help="YAML file, as for `genret train`.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Replace values: data.corpus=FOLDER.")
    ] = None,
    count: Annotated[int, typer.Option("-n", help="Examples of each source.", min=1, max=1 << 20)] = 20,
) -> None:
    """Show examples of every source in CONFIG's mixture: what the model reads, and what it must emit.

    The examples of a seed are always the same.
    """
    from genret.corpus import read_store
    from genret.recipes.from_configuration import load_recipe
    from genret.training.examples.material import read_material
    from genret.training.examples.sources import make_source, preview

    recipe = load_recipe(config, overrides or [])
    tokenizer = _tokenizer(recipe)
    passages = read_store(recipe.data.corpus, recipe.data.reading)
    material = read_material(recipe.data, passages, tokenizer, recipe.seed)
    for name, ratio in recipe.mixture.items():
        source = make_source(name, recipe.sources.get(name, {}))
        typer.echo(f"{name} ({ratio:g} of the mixture)")
        for pair in preview(source, material, count):
            typer.echo(f"  {pair.text!r}\n    -> {_target(pair, passages, tokenizer)}")


def _tokenizer(recipe: AnyRecipe) -> Tokenizer | None:
    """The model's, where targets are tokens of texts; None for docids, which need no model to be named."""
    from genret.recipes.ngram_recipe import load_generator
    from genret.recipes.recipe_options import NgramRecipe

    return load_generator(recipe.model).tokenizer if isinstance(recipe, NgramRecipe) else None


def _target(pair: Pair, passages: PassageStore, tokenizer: Tokenizer | None) -> str:
    named = ", ".join(passages.passage_ids[row] for row in pair.documents)
    if pair.tokens is None or tokenizer is None:
        return named
    return f"{tokenizer.decode(pair.tokens)!r}  ({named})"
