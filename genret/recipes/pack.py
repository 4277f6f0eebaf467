"""Packed examples for a recipe: made of what it reads, before its training.

Knows recipes and packed examples; trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from genret.config import to_mapping
from genret.corpus import PassageStore, read_store
from genret.corpus.shared_store import SharedStore
from genret.errors import InputError
from genret.jobs.job import HERE, Executor, Once
from genret.jobs.storage import Place
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.recipes.docid_recipe import DocidRun
from genret.recipes.recipe_options import DocidRecipe
from genret.recipes.steps import Held
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.plain_text import text_ids
from genret.training.examples.preparation import Readings, prepare_examples

__all__ = ["prepare_recipe"]


def prepare_recipe(
    recipe: DocidRecipe, output: str, executor: Executor = HERE, parts: Place | None = None
) -> dict[str, Any] | None:
    """Tokenise every source of the recipe's mixture into packed shards; return what was written.

    None where parts are left to others; `parts` is where they lie, beside `output` where it is None.

    Raises:
        InputError: the recipe's model reads texts in another way, or `output` exists.
    """
    if recipe.model.kind != "encoder-decoder":
        raise InputError(
            f"model.kind: only an encoder-decoder reads packed examples, found {recipe.model.kind}."
        )
    place = parts or f"{output}.parts"
    passages = read_store(recipe.data.corpus, recipe.data.reading)
    shared = SharedStore(passages, place)
    opened = Once(partial(_open, recipe, shared))
    backbone = opened().backbone
    meta = {
        "tokenizer": tokenizer_fingerprint(backbone.tokenizer),
        "corpus": passages.fingerprint,
        "max_source_tokens": backbone.settings.max_source_tokens,
        "sources": to_mapping(recipe)["sources"],
        "seed": recipe.seed,
    }
    return prepare_examples(Once(_Read(opened)), output, meta, executor, parts=place)


@dataclass(frozen=True)
class _Opened:
    """A recipe's run up to its training."""

    run: DocidRun
    backbone: EncoderDecoderBackbone


def _open(recipe: DocidRecipe, passages: Callable[[], PassageStore]) -> _Opened:
    run = DocidRun(recipe, held=Held(passages=passages()))
    backbone = run.backbone()
    assert isinstance(backbone, EncoderDecoderBackbone)  # of that kind
    return _Opened(run, backbone)


@dataclass(frozen=True)
class _Read:
    """Gives a recipe's examples, and how their texts become tokens."""

    opened: Once[_Opened]

    def __call__(self) -> Readings:
        run, backbone = self.opened().run, self.opened().backbone
        table = run.bound_table(backbone)
        longest = backbone.settings.max_source_tokens
        tokenise = partial(_tokens, backbone, longest)
        return Readings(run.docid_examples(table, backbone), tokenise, table)


def _tokens(backbone: EncoderDecoderBackbone, longest: int, texts: list[str]) -> list[list[int]]:
    return text_ids(backbone.tokenizer, texts, special_tokens=True, max_length=longest)
