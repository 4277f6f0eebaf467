"""An n-gram retriever from one configuration: corpus, index, views, and training where there is any.

Knows the order of the stages and what each hands to the next; each stage's work is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Interval

from genret.config import Seed, Weight, check_bounds, to_mapping
from genret.corpus import PassageStore, read_store
from genret.device import pick_device
from genret.errors import InputError
from genret.indexing import TextIndex, build_text_index
from genret.indexing.layout import Layout
from genret.indexing.pseudo_queries import read_pseudo_queries
from genret.jobs.cache import default_cache
from genret.jobs.stages import Stages
from genret.models import Backbone, load_backbone
from genret.models.freezing import freeze_lowest
from genret.models.shapes import OPTIONS, given_values
from genret.models.smollm2 import smollm2_folder
from genret.retrieval.ngrams.retriever import NgramRetriever
from genret.retrieval.ngrams.views import NgramOptions
from genret.training.engines.choose import make_engine
from genret.training.engines.processes import World
from genret.training.examples.batch import CrossEntropy, TrainingModule
from genret.training.examples.example import Example, Examples, Targets
from genret.training.examples.feed import ExampleFeed
from genret.training.examples.material import DataOptions, read_material
from genret.training.examples.sources import Guarded, make_source
from genret.training.loop.diary import provenance
from genret.training.loop.options import TrainingOptions
from genret.training.loop.trainer import Trainer

__all__ = ["ModelOptions", "NgramRecipe", "run_ngram_recipe"]

INDEX = "text_index"


@dataclass(frozen=True)
class ModelOptions:
    """What generates n-grams.

    Attributes:
        name: folder or hub name; None is the packaged SmolLM2-135M-Instruct.
        options: what `load_backbone` takes; a causal model's `template` is "{query}" unless given, since each view
            says what the model reads.
        frozen_layers: the lowest so many layers keep their weights in training, and so do the embeddings,
            with the output layer where it is tied to them: less time a step. None: all weights are trained.
    """

    kind: Literal["encoder-decoder", "causal"] = "causal"
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    frozen_layers: Annotated[int, Interval(ge=0, le=1 << 12)] | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        given_values(OPTIONS[self.kind], self.options, "options")

    def load(self) -> Backbone:
        """The backbone."""
        prompt = {"template": "{query}"} if self.kind == "causal" else {}
        name = smollm2_folder(default_cache("models")) if self.name is None else self.name
        return load_backbone(name, self.kind, device=pick_device(), **{**prompt, **self.options})


@dataclass(frozen=True)
class NgramRecipe:
    """A run.

    Attributes:
        output: folder of the run: metrics, checkpoints, and the model folder.
        retrieval: views, beams and scoring, stored with the model.
        pseudo_queries: JSON lines with `passage_id` and `text`; they become a field of the passages.
        mixture: each source's share of the examples seen.
        sources: options of sources, by the names in `mixture` (see `genret.training.examples.sources`).
        training: None: the model is used as it is.
    """

    output: str
    data: DataOptions
    retrieval: NgramOptions
    model: ModelOptions = field(default_factory=ModelOptions)
    pseudo_queries: str | None = None
    mixture: dict[str, Weight] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: TrainingOptions | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_bounds(self)
        for name in self.mixture:
            make_source(name, self.sources.get(name, {}))
        if self.training is not None and not self.mixture:
            raise InputError("mixture: training needs sources; give each a share.")
        if unused := sorted(set(self.sources) - set(self.mixture)):
            raise InputError(
                f"sources.{unused[0]}: the mixture has no such name; give it a share, or drop it."
            )


def run_ngram_recipe(
    recipe: NgramRecipe, *, resume: bool = False, stages: Stages | None = None
) -> NgramRetriever:
    """Index, train, and put together; the index, metrics and checkpoints go below `recipe.output`.

    Raises:
        InputError: an input cannot be used; the message says which and why.
    """
    steps = stages or Stages()
    with steps.stage("load the model"):
        backbone = recipe.model.load()
    passages = read_store(recipe.data.corpus, skip_empty=recipe.data.skip_empty)
    folder = Path(recipe.output)
    with steps.stage("index the passages"):
        build_text_index(
            passages,
            backbone.tokenizer,
            folder / INDEX,
            layout=Layout.of(backbone.tokenizer),
            pseudo_queries=_asked(recipe, passages),
            overwrite=True,
        )
    if recipe.training is not None:
        with steps.stage("train"):
            _train(recipe, recipe.training, backbone, passages, resume)
    return NgramRetriever(backbone, TextIndex.load(folder / INDEX), recipe.retrieval)


def _asked(recipe: NgramRecipe, passages: PassageStore) -> list[list[str]] | None:
    return None if recipe.pseudo_queries is None else read_pseudo_queries(recipe.pseudo_queries, passages)


def _examples(
    recipe: NgramRecipe, backbone: Backbone, passages: PassageStore
) -> dict[str, Sequence[Example]]:
    """The examples of every source that the mixture names."""
    material = read_material(recipe.data, passages, backbone.tokenizer, recipe.seed)
    targets = Targets(None, backbone.eos_token_id)
    found: dict[str, Sequence[Example]] = {}
    for name, ratio in recipe.mixture.items():
        if ratio > 0:
            pairs = make_source(name, recipe.sources.get(name, {})).open(material)
            found[name] = Examples(Guarded(pairs, material.evaluation, name), name, targets)
    return found


def _train(
    recipe: NgramRecipe, options: TrainingOptions, backbone: Any, passages: PassageStore, resume: bool
) -> None:
    world = World.join()
    feed = ExampleFeed(
        _examples(recipe, backbone, passages),
        recipe.mixture,
        options,
        pad_token_id=backbone.pad_token_id,
        device=backbone.device,
        world=world,
    )
    if recipe.model.frozen_layers is not None:
        freeze_lowest(backbone.model, recipe.model.frozen_layers)
    module = TrainingModule(backbone, CrossEntropy(options.label_smoothing_factor))
    engine = make_engine(module, options, world)
    first = provenance(to_mapping(recipe), {"recipe": recipe.seed, "training": options.seed}, [])
    first["corpus"] = passages.fingerprint
    trainer = Trainer(engine, feed, options, folder=Path(recipe.output) / "training", world=world)
    trainer.train(first, resume=resume)
    backbone.eval()
