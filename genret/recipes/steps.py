"""The spine of a recipe: what a run does whatever its model emits.

Knows the corpus, sources, mixture, training, evaluation by retrieval and the best checkpoint, in their order. What is
emitted and how it is made ready is in `docid_recipe` and `ngram_recipe`, which inherit from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from genret.config import to_mapping
from genret.corpus import Judgements, PassageStore, read_store
from genret.jobs.stages import Stages
from genret.models.backbone import Backbone
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.recipe_options import Recipe
from genret.retrieval.retriever import Retriever
from genret.training.engines.engine import check_engine, load_weights, make_engine
from genret.training.engines.processes import World
from genret.training.examples.batch import Trainable, TrainingModule
from genret.training.examples.example import Example, Examples, Targets
from genret.training.examples.feed import ExampleFeed, Feed
from genret.training.examples.material import evaluation_queries, read_material
from genret.training.examples.packed import PackedExamples
from genret.training.examples.packed_feed import PackedFeed
from genret.training.examples.sources import Guarded, Material, make_source
from genret.training.loop.best_checkpoint import Evaluate
from genret.training.loop.diary import provenance
from genret.training.loop.retrieval_check import RetrievalCheck
from genret.training.loop.trainer import Trainer
from genret.training.loop.training_options import TrainingOptions

__all__ = ["Held", "Sources", "Steps"]

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)
Sources = Mapping[str, Sequence[Example]]


@dataclass(frozen=True)
class Held:
    """What a caller has in memory, in place of what the recipe names; None: read, or loaded, as the recipe says.

    Attributes:
        passages: the corpus.
        queries: query_id to text, of those that are judged.
        judgements: of the training queries; given where `queries` are.
        encoder: the frozen sentence encoder.
    """

    passages: PassageStore | None = None
    queries: Mapping[str, str] | None = None
    judgements: Judgements | None = None
    encoder: SentenceEncoder | None = None


class Steps(Generic[AnyRecipe]):
    """The steps of a run.

    Attributes:
        passages: the corpus.
        folder: of the run.
        world: its processes.
    """

    def __init__(
        self,
        recipe: AnyRecipe,
        *,
        held: Held | None = None,
        resume: bool = False,
        stages: Stages | None = None,
    ) -> None:
        self.recipe, self.held = recipe, held or Held()
        self.resume, self.stages = resume, stages or Stages()
        if recipe.training is not None:
            check_engine(recipe.training)
        self.folder, self.world = Path(recipe.output), World.join()
        self.passages = self.held.passages or read_store(recipe.data.corpus, recipe.data.reading)
        self._read: Material | None = None

    def material(self, backbone: Backbone) -> Material:
        """What the sources read; read once."""
        if self._read is None:
            recipe, held = self.recipe, self.held
            if held.queries is not None:
                queries, judged = held.queries, held.judgements or {}
                self._read = Material(
                    self.passages, queries, judged, tokenizer=backbone.tokenizer, seed=recipe.seed
                )
            else:
                self._read = read_material(recipe.data, self.passages, backbone.tokenizer, recipe.seed)
        return self._read

    def examples(self, backbone: Backbone, targets: Targets) -> dict[str, Examples]:
        """The examples of every source that the mixture names."""
        material = self.material(backbone)
        found = {}
        for name, ratio in self.recipe.mixture.items():
            if ratio > 0:
                pairs = make_source(name, self.recipe.sources.get(name, {})).open(material)
                found[name] = Examples(Guarded(pairs, material.evaluation, name), name, targets)
        return found

    def evaluation(self, retriever: Callable[[], Retriever[Any, Any]]) -> RetrievalCheck | None:
        """What measures the model on the way, by searching with it; None where nothing is to be measured."""
        options = self.recipe.training
        if options is None or not options.eval_steps:
            return None
        judged = evaluation_queries(self.recipe.data, self.passages)
        size, seed, searched = options.eval_queries, self.recipe.seed, retriever()
        allowed = None if self.recipe.constraint is None else self.recipe.constraint.of(searched)
        return RetrievalCheck(searched, judged, size=size, world=self.world, seed=seed, constraint=allowed)

    def train_model(
        self,
        module: TrainingModule,
        options: TrainingOptions,
        sources: Sources,
        name: str,
        backbone: Backbone,
        retriever: Callable[[], Retriever[Any, Any]],
    ) -> Callable[[], None] | None:
        """Train the model to its best checkpoint; returns what gives it the last one's parameters, if that is another."""
        check = self.evaluation(retriever)
        last = self.train(module, options, sources, name, backbone, backbone.device, check)
        module.backbone.eval()
        return None if last is None else partial(load_weights, module, last)

    def train(
        self,
        module: Trainable,
        options: TrainingOptions,
        sources: Sources,
        name: str,
        backbone: Backbone,
        device: torch.device | str,
        evaluate: Evaluate | None = None,
    ) -> Path | None:
        """Train `module`, in the run's folder `name`.

        Returns the checkpoint at the end where an earlier one evaluated better, and is what `module` has.
        """
        feed = self._feed(options, sources, backbone, device)
        engine = make_engine(module, options, self.world)
        folder = self.folder / name
        trainer = Trainer(engine, feed, options, folder=folder, world=self.world, evaluate=evaluate)
        result = trainer.train(self._provenance(name, options), resume=self.resume)
        best = result.best or result.last
        engine.settle(best)
        return None if best == result.last else result.last

    def _provenance(self, name: str, options: TrainingOptions) -> dict[str, Any]:
        files = [path for path in self.recipe.files if Path(path).is_file()]
        first = provenance(self._configuration, {"recipe": self.recipe.seed, name: options.seed}, files)
        return {**first, "corpus": self.passages.fingerprint}

    @cached_property
    def _configuration(self) -> dict[str, Any]:
        return to_mapping(self.recipe)

    def _feed(
        self, options: TrainingOptions, sources: Sources, backbone: Backbone, device: torch.device | str
    ) -> Feed:
        packed, mixture = self.recipe.data.packed, self.recipe.mixture
        common: dict[str, Any] = {
            "pad_token_id": backbone.pad_token_id,
            "device": device,
            "world": self.world,
            "mixing": self.recipe.mixing,
        }
        if packed is None:
            return ExampleFeed(sources, mixture, options, **common)
        return PackedFeed(PackedExamples.load(packed), mixture, options, **common)
