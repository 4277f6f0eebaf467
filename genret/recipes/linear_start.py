"""Where the decoder of a frozen encoder starts: a linear index, made from vectors and words, in place of noise.

Knows the query side, the teacher and the codebooks, and their order; knows nothing of what comes after.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from torch import Tensor

from docid import DocidTable
from docid.strategies import Strategy
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.recipe_options import DocidRecipe
from genret.recipes.steps import Sources, Steps
from genret.training.examples.example import Example
from genret.training.examples.sources import make_source
from genret.training.linear_index.codebook import (
    CodebookModel,
    DocidPaths,
    WordScores,
    fit_token_vectors,
    quantiser_vectors,
    start_from_codebooks,
    sums_along,
)
from genret.training.linear_index.query_side import QuerySide, fit_query_side, mean_reciprocal_rank
from genret.training.linear_index.teacher import DenseTeacher
from genret.training.linear_index.vectors import source_vectors
from genret.training.loop.training_options import TrainingOptions
from genret.words import Words
from genret.words.relevance import weighed_by_relevance

__all__ = ["LinearStart", "linear_start"]

Vectors = npt.NDArray[Any]
# Of the labelled queries, those that decide whether what was learned is kept: one in so many, and the most of them.
ONE_IN, MOST_HELD = 10, 500
TOO_FEW = "the query side stays untrained: there are too few different queries to learn from and to judge by"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LinearStart:
    """What a linear start made beside the decoder.

    Attributes:
        words: with what was learned of them; None: docids are codes alone.
        note: a sentence on what was learned, and whether it was kept; None: there was nothing to learn from.
    """

    words: Words | None = None
    note: str | None = None


def linear_start(
    steps: Steps[DocidRecipe],
    options: TrainingOptions,
    backbone: FrozenEncoderBackbone,
    table: DocidTable,
    strategy: Strategy | None,
    words: Words | None,
    sources: Sources,
    vectors: Vectors,
) -> LinearStart:
    """Make the decoder the linear index: its query side from labels, its codebooks trained as `options` say.

    Args:
        strategy: that made the table; None: it is not known.
        words: of the docids, untrained.
        vectors: of the passages, floats [N, d].
    """
    paths = DocidPaths(table, steps.recipe.teacher.prefixes)
    tokens = quantiser_vectors(strategy, table, paths)
    temperature = steps.recipe.teacher.temperature
    side, note = QuerySide.untrained(vectors.shape[1], temperature), None
    labelled = [example for one in _labelled(steps.recipe, sources) for example in one]
    if steps.recipe.teacher.query_map_steps and labelled:
        side, words, note = _query_side(steps, backbone, paths, tokens, words, labelled, vectors)
        _log.info("%s", note)
    index = _index(steps, options, backbone, paths, tokens, words, sources, vectors, side)
    start_from_codebooks(backbone, index)
    learned = index.side().words
    return LinearStart(None if words is None else replace(words, weight=words.weight * learned), note)


def _query_side(
    steps: Steps[DocidRecipe],
    backbone: FrozenEncoderBackbone,
    paths: DocidPaths,
    tokens: Tensor | None,
    words: Words | None,
    labelled: Sequence[Example],
    vectors: Vectors,
) -> tuple[QuerySide, Words | None, str]:
    """What the labelled queries teach, of vectors and of words; the untrained where that ranks a tenth of them no worse.

    The tenth is kept back. The map and the weight of words are learned beside words as they are: what words tell of the
    passages that answer was counted of the same queries, to which they look surer than they are to others.
    """
    teacher = steps.recipe.teacher
    with steps.stages.stage("encode the labelled queries"):
        texts, asked = source_vectors(backbone, {"labelled": labelled})
    places = {text: place for place, text in enumerate(texts)}
    query = np.array([places[example.source] for example in labelled], np.int64)
    gold = np.array([example.document for example in labelled], np.int64)
    held = _held_back(texts)[query]
    start = QuerySide.untrained(vectors.shape[1], teacher.temperature)
    if held.all() or not held.any():
        return start, words, TOO_FEW
    held[np.flatnonzero(held)[MOST_HELD:]] = False
    with steps.stages.stage("learn the query side"):
        tokens = fit_token_vectors(paths, vectors) if tokens is None else tokens
        sums = sums_along(paths.paths, tokens).numpy()

        def part(chosen: npt.NDArray[np.bool_], words: Words | None) -> tuple[Any, ...]:
            asked_words = [texts[place] for place in query[chosen]]
            lexical = None if words is None else WordScores(words, asked_words)
            return asked[query[chosen]], gold[chosen], sums, lexical

        learned = fit_query_side(
            *part(~held, words),
            steps=teacher.query_map_steps,
            temperature=teacher.temperature,
            seed=steps.recipe.seed,
        )
        telling = words and weighed_by_relevance(
            words, [texts[place] for place in query[~held]], gold[~held, None].tolist()
        )
        before = mean_reciprocal_rank(start, *part(held, words))
        after = mean_reciprocal_rank(learned, *part(held, telling))
    side = "is trained" if after > before else "stays untrained"
    note = f"MRR@10 {before:.3f} untrained, {after:.3f} trained, on {held.sum():,} labelled queries kept back"
    return *((learned, telling) if after > before else (start, words)), f"the query side {side}: {note}"


def _index(
    steps: Steps[DocidRecipe],
    options: TrainingOptions,
    backbone: FrozenEncoderBackbone,
    paths: DocidPaths,
    tokens: Tensor | None,
    words: Words | None,
    sources: Sources,
    vectors: Vectors,
    side: QuerySide,
) -> CodebookModel:
    """The linear index; its codebooks trained where `options` have steps, in a folder of their own."""
    recipe, texts, asked = steps.recipe, ["passage"], vectors[:1]
    if options.max_steps != 0:
        with steps.stages.stage("encode what is trained on"):
            texts, asked = source_vectors(backbone, sources)
    teacher = DenseTeacher(
        texts,
        asked,
        vectors,
        gold_share=recipe.teacher.gold_share,
        temperature=recipe.teacher.temperature,
        neighbours=recipe.teacher.neighbours,
        side=side,
        lexical=None if words is None else WordScores(words, texts),
        teacher=recipe.teacher.make(),
        corpus=steps.passages,
    )
    model = CodebookModel(teacher, paths, side=side, tokens=tokens, seed=recipe.seed)
    if options.max_steps != 0:
        with steps.stages.stage("train the codebooks"):
            steps.train(model, options, sources, "codebook", backbone, "cpu")
    return model


def _held_back(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which texts are kept back: the same ones whatever the others are."""
    return np.array([xxhash.xxh3_64_intdigest(text.encode()) % ONE_IN == 0 for text in texts], bool)


def _labelled(recipe: DocidRecipe, sources: Sources) -> list[Sequence[Example]]:
    kinds = {name: make_source(name, recipe.sources.get(name, {})).name for name in sources}
    return [examples for name, examples in sources.items() if kinds[name] == "labelled"]
