"""From a configuration to the retriever that it makes, whichever kind it is.

Knows the kinds of recipes; knows nothing of how they train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from genret.config import load_config, read_yaml
from genret.recipes.docid_recipe import Trained, run_recipe
from genret.recipes.ngram_recipe import TrainedNgrams, run_ngram_recipe
from genret.recipes.recipe_options import DocidRecipe, NgramRecipe
from genret.recipes.run_folder import LAST, MODEL
from genret.retrieval.from_folder import AnyRetriever

__all__ = ["AnyRecipe", "load_recipe", "run_any_recipe"]

AnyRecipe = DocidRecipe | NgramRecipe


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a configuration; one with a section `retrieval` is an n-gram retriever's.

    Raises:
        InputError: it cannot be read, or a key or value in it is wrong.
    """
    ngrams = "retrieval" in read_yaml(path) or any(one.startswith("retrieval.") for one in overrides)
    if ngrams:
        return load_config(NgramRecipe, path, overrides)
    return load_config(DocidRecipe, path, overrides)


def run_any_recipe(
    recipe: AnyRecipe, *, resume: bool = False, announce: Callable[[str], None] = lambda line: None
) -> Iterator[tuple[str, AnyRetriever]]:
    """Make what a configuration describes: `MODEL`, then `LAST` where an earlier checkpoint evaluated better.

    Each is to be used before the next is asked for: they share one model. `announce` is told what was learned beside the
    decoder, if anything was.

    Raises:
        InputError: an input cannot be used; the message says which and why.
    """
    trained: Trained | TrainedNgrams
    if isinstance(recipe, NgramRecipe):
        trained = run_ngram_recipe(recipe, resume=resume)
    else:
        trained = run_recipe(recipe, resume=resume)
    if trained.note is not None:
        announce(trained.note)
    retriever = trained.retriever()
    yield MODEL, retriever
    if trained.to_last is not None:
        trained.to_last()
        yield LAST, retriever
