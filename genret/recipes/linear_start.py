"""Where the decoder of a frozen encoder starts: a linear index, trained from vectors, in place of noise.

Knows the teacher, the codebooks and the docid network, and their order; knows nothing of what comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from docid import DocidTable
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.recipes.recipe_options import DocidRecipe
from genret.recipes.steps import Sources, Steps
from genret.training.examples.example import Example
from genret.training.examples.sources import make_source
from genret.training.linear_index.codebook import CodebookModel, DocidPaths
from genret.training.linear_index.docid_network import solve_docid_network
from genret.training.linear_index.query_map import fit_query_map
from genret.training.linear_index.start import start_from_codebooks
from genret.training.linear_index.teacher import DenseTeacher
from genret.training.linear_index.vectors import source_vectors
from genret.training.loop.training_options import TrainingOptions

__all__ = ["linear_start"]

Vectors = npt.NDArray[Any]


def linear_start(
    steps: Steps[DocidRecipe],
    options: TrainingOptions,
    backbone: FrozenEncoderBackbone,
    table: DocidTable,
    sources: Sources,
    vectors: Vectors,
) -> None:
    """Make the decoder the linear index that `options` train, and solve for its network where it has one.

    Args:
        vectors: of the passages, floats [N, d].
    """
    start_from_codebooks(backbone, _codebooks(steps, options, backbone, table, sources, vectors))
    if backbone.model.config.docid_width:
        with steps.stages.stage("solve for the docid network"):
            solve_docid_network(backbone, table, vectors, seed=steps.recipe.seed)


def _codebooks(
    steps: Steps[DocidRecipe],
    options: TrainingOptions,
    backbone: FrozenEncoderBackbone,
    table: DocidTable,
    sources: Sources,
    vectors: Vectors,
) -> CodebookModel:
    """The linear index, trained; its run has a folder of its own."""
    recipe = steps.recipe
    with steps.stages.stage("encode what is trained on"):
        texts, asked = source_vectors(backbone, sources)
    teacher = DenseTeacher(
        texts,
        asked,
        vectors,
        gold_share=recipe.teacher.gold_share,
        temperature=recipe.teacher.temperature,
        neighbours=recipe.teacher.neighbours,
        query_map=_query_map(steps, texts, asked, sources, vectors),
        teacher=recipe.teacher.make(),
        corpus=steps.passages,
    )
    paths = DocidPaths(table, recipe.teacher.prefixes)
    solved = bool(backbone.model.config.docid_width)
    model = CodebookModel(teacher, paths, fixed_queries=solved, seed=recipe.seed)
    with steps.stages.stage("train the codebooks"):
        steps.train(model, options, sources, "codebook", backbone, "cpu")
    return model


def _query_map(
    steps: Steps[DocidRecipe], texts: Sequence[str], asked: Vectors, sources: Sources, vectors: Vectors
) -> torch.Tensor | None:
    """The linear map that the labelled queries make, if it is asked for and there are any."""
    teacher = steps.recipe.teacher
    labelled = [example for one in _labelled(steps.recipe, sources) for example in one]
    if not teacher.query_map_steps or not labelled:
        return None
    places = {text: place for place, text in enumerate(texts)}
    with steps.stages.stage("fit the query map"):
        return fit_query_map(
            asked[[places[example.source] for example in labelled]],
            np.array([example.document for example in labelled], np.int64),
            vectors,
            steps=teacher.query_map_steps,
            temperature=teacher.temperature,
            seed=steps.recipe.seed,
        )


def _labelled(recipe: DocidRecipe, sources: Sources) -> list[Sequence[Example]]:
    kinds = {name: make_source(name, recipe.sources.get(name, {})).name for name in sources}
    return [examples for name, examples in sources.items() if kinds[name] == "labelled"]
