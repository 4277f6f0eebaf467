"""A run whose model generates n-grams: corpus, index, views, and training where there is any.

Knows the order of the stages and what each hands to the next; what every recipe has in common is in `steps`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from genret.device import pick_device
from genret.indexing.build import build_text_index
from genret.indexing.layout import Layout
from genret.indexing.pseudo_queries import read_pseudo_queries
from genret.indexing.text_index import TextIndex
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.freezing import freeze_lowest
from genret.models.pretrained import PretrainedBackbone
from genret.models.smollm2 import smollm2_folder
from genret.recipes.evidence_weights import learned_weights
from genret.recipes.recipe_options import NgramModelOptions, NgramRecipe
from genret.recipes.steps import Held, Steps
from genret.retrieval.ngrams.lexicon import Lexicon
from genret.retrieval.ngrams.ngram_retriever import NgramRetriever
from genret.retrieval.ngrams.views import NgramOptions
from genret.training.examples.batch import TrainingModule
from genret.training.examples.example import Targets
from genret.training.examples.material import held_back_queries
from genret.training.loop.training_options import TrainingOptions
from genret.training.losses.base import Training

__all__ = ["NgramRun", "TrainedNgrams", "load_generator", "run_ngram_recipe"]

INDEX = "text_index"


@dataclass(frozen=True)
class TrainedNgrams:
    """What a run made: a backbone, and the index of the n-grams that it may generate.

    Attributes:
        search: how the recipe says that it is searched.
        lexicon: the passages' words; None: there are none.
        note: a sentence on the weights that were learned; None: none were.
        to_last: gives the backbone the parameters that training ended with, where those before evaluated better;
            None where it has them.
    """

    backbone: Backbone
    text_index: TextIndex
    search: NgramOptions
    lexicon: Lexicon | None = None
    note: str | None = None
    to_last: Callable[[], None] | None = None

    def retriever(self, options: NgramOptions | None = None) -> NgramRetriever:
        """What answers queries with it, searched as the recipe says unless `options` say otherwise."""
        return NgramRetriever(self.backbone, self.text_index, options or self.search, self.lexicon)


def run_ngram_recipe(
    recipe: NgramRecipe,
    *,
    held: Held | None = None,
    resume: bool = False,
    stages: Stages | None = None,
) -> TrainedNgrams:
    """Index, train, and put together; the index, metrics and checkpoints go below `recipe.output`.

    Args:
        held: what is in memory already, and is not read again.
        stages: times and announces each part.

    Raises:
        InputError: an input cannot be used; the message says which and why.
    """
    return NgramRun(recipe, held=held, resume=resume, stages=stages).trained()


def load_generator(model: NgramModelOptions) -> Backbone:
    """The model that generates n-grams, where it will run."""
    prompt = {"template": "{query}"} if model.kind == "causal" else {}
    return load_backbone(
        generator_name(model), model.kind, device=pick_device(), **{**prompt, **model.options}
    )


def generator_name(model: NgramModelOptions) -> str | Path:
    """Folder or hub name of the model that generates n-grams."""
    return smollm2_folder(default_cache("models")) if model.name is None else model.name


class NgramRun(Steps[NgramRecipe]):
    """The stages of a run, and what several of them need."""

    def trained(self) -> TrainedNgrams:
        """Run all stages."""
        recipe = self.recipe
        with self.stages.stage("load the model"):
            backbone = load_generator(recipe.model)
        with self.stages.stage("index the passages"):
            index = self._index(backbone)
        to_last = None
        if recipe.training is not None:
            with self.stages.stage("train"):
                to_last = self._train_generator(recipe.training, backbone, index)
        lexicon = self._lexicon(backbone)
        weights, note = self._weigh(NgramRetriever(backbone, index, recipe.retrieval, lexicon))
        search = replace(recipe.retrieval, weights=weights)
        return TrainedNgrams(backbone, index, search, lexicon, note, to_last)

    def _lexicon(self, backbone: Backbone) -> Lexicon | None:
        """The passages' words, each worth what labelled queries say that it tells; None where there are to be none."""
        options = self.recipe.retrieval.words
        if options is None:
            return None
        with self.stages.stage("count the words"):
            lexicon = Lexicon.of(self.passages, backbone.tokenizer, options)
            labelled = self._labelled(backbone)
            return lexicon.learned(*zip(*labelled, strict=True)) if labelled else lexicon

    def _weigh(self, retriever: NgramRetriever) -> tuple[dict[str, float], str | None]:
        """What evidence is worth, learned from the labelled queries that were held back where there are any."""
        options, data = retriever.options, self.recipe.data
        if not options.worth or self.held.queries is not None:
            return options.weights, None
        trained = {row for _, rows in self._labelled(retriever.backbone) for row in rows}
        held = held_back_queries(data, self.passages, self.recipe.seed)
        # A passage that the model was trained on is found for reasons that do not hold for others.
        labelled = [(text, rows) for text, rows in held if trained.isdisjoint(rows)]
        if not labelled:
            return options.weights, None
        with self.stages.stage("weigh the evidence"):
            return learned_weights(retriever, labelled)

    def _labelled(self, backbone: Backbone) -> list[tuple[str, list[int]]]:
        """The labelled queries that may be trained on, and the rows of their relevant passages."""
        material = self.material(backbone)
        rows = {
            query_id: [material.passages.row(one) for one, grade in grades.items() if grade > 0]
            for query_id, grades in material.judgements.items()
        }
        return [(material.queries[query_id], own) for query_id, own in rows.items() if own]

    def _index(self, backbone: Backbone) -> TextIndex:
        pseudo_queries = self.recipe.pseudo_queries
        asked = None if pseudo_queries is None else read_pseudo_queries(pseudo_queries, self.passages)
        tokenizer, folder = backbone.tokenizer, self.folder / INDEX
        with self.world.together():
            if self.world.is_first:
                build_text_index(
                    self.passages,
                    tokenizer,
                    folder,
                    layout=Layout.of(tokenizer),
                    pseudo_queries=asked,
                    overwrite=True,
                )
        return TextIndex.load(folder)

    def _train_generator(
        self, options: TrainingOptions, backbone: Backbone, index: TextIndex
    ) -> Callable[[], None] | None:
        """Train the backbone; what `TrainedNgrams.to_last` is."""
        sources = self.examples(backbone, Targets(None, backbone.eos_token_id))
        model = self.recipe.model
        if model.frozen_layers is not None:
            freeze_lowest(backbone.model, model.frozen_layers)  # type: ignore[attr-defined]
        if model.adapter is not None and isinstance(backbone, PretrainedBackbone):
            backbone.adapt(model.adapter, generator_name(model), self.recipe.seed)
        smoothing = options.label_smoothing_factor
        loss = self.recipe.made_loss()
        objective = loss.objective(Training(backbone, None, smoothing, options.seed))
        module = TrainingModule(backbone, objective, loss.weigh, by_rows=loss.by_rows)
        return self.train_model(
            module,
            options,
            sources,
            "training",
            backbone,
            lambda: NgramRetriever(backbone, index, self.recipe.retrieval, self._lexicon(backbone)),
        )
