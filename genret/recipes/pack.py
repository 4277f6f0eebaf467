"""Packed examples for a recipe: made of what it reads, before its training.

Knows recipes and packed examples; trains nothing.
"""

from __future__ import annotations

from typing import Any

from genret.config import to_mapping
from genret.errors import InputError
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.recipes.docid_recipe import DocidRun
from genret.recipes.recipe_options import DocidRecipe
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.plain_text import text_ids
from genret.training.examples.preparation import prepare_examples

__all__ = ["prepare_recipe"]


def prepare_recipe(recipe: DocidRecipe, output: str, *, workers: int = 1) -> dict[str, Any]:
    """Tokenise every source of the recipe's mixture into packed shards; return what was written.

    Raises:
        InputError: the recipe's model reads texts in another way, or `output` exists.
    """
    if recipe.model.kind != "encoder-decoder":
        raise InputError(
            f"model.kind: only an encoder-decoder reads packed examples, found {recipe.model.kind}."
        )
    run = DocidRun(recipe)
    backbone = run.backbone()
    assert isinstance(backbone, EncoderDecoderBackbone)  # of that kind
    table = run.bound_table(backbone)
    sources = run.docid_examples(table, backbone)
    longest = backbone.settings.max_source_tokens

    def tokenise(texts: list[str]) -> list[list[int]]:
        return text_ids(backbone.tokenizer, texts, special_tokens=True, max_length=longest)

    meta = {
        "tokenizer": tokenizer_fingerprint(backbone.tokenizer),
        "corpus": run.passages.fingerprint,
        "max_source_tokens": longest,
        "sources": to_mapping(recipe)["sources"],
        "seed": recipe.seed,
    }
    return prepare_examples(sources, tokenise, table, output, meta, workers=workers)
