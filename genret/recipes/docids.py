"""A whole training run from one configuration: corpus, docids, examples, codebooks, decoder.

Knows the order of the stages and what each hands to the next; each stage's work is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from docid import DocidTable
from genret.config import to_mapping
from genret.constraint import TrieConstraint
from genret.corpus import PassageStore, read_store
from genret.device import pick_device
from genret.docids.make import make_docids
from genret.errors import InputError
from genret.jobs.cache import default_cache
from genret.jobs.stages import Stages
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.frozen.frozen_encoder import FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.models.new_t5 import new_t5
from genret.plain_text import text_ids
from genret.recipes.options import Recipe
from genret.recipes.shared_trie import shared_constraint
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.options import SearchOptions
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.training.engines.choose import make_engine
from genret.training.engines.processes import World
from genret.training.engines.row_adam import mark_tables
from genret.training.engines.torch_engine import load_weights
from genret.training.examples.batch import TrainingModule
from genret.training.examples.example import Example, Examples, Targets
from genret.training.examples.feed import ExampleFeed, Feed
from genret.training.examples.material import evaluation_queries, read_material
from genret.training.examples.packed import PackedExamples
from genret.training.examples.packed_feed import PackedFeed
from genret.training.examples.sources import Guarded, Material, make_source
from genret.training.linear_index.codebook import CodebookModel, DocidPaths
from genret.training.linear_index.docid_network import solve_docid_network
from genret.training.linear_index.query_map import fit_query_map
from genret.training.linear_index.start import start_from_codebooks
from genret.training.linear_index.state_cache import StateCache
from genret.training.linear_index.teacher import DenseTeacher
from genret.training.linear_index.vectors import source_vectors
from genret.training.loop.diary import provenance
from genret.training.loop.options import TrainingOptions
from genret.training.loop.retrieval_check import RetrievalCheck
from genret.training.loop.trainer import Trainer
from genret.training.losses.candidates import Beams, Finder, RunHits
from genret.training.losses.objectives import make_objective
from genret.vectors.passages import passage_vectors

__all__ = ["Run", "Trained", "run_recipe"]


@dataclass(frozen=True)
class Trained:
    """What a run made: a backbone, the docids bound to its vocabulary, and the passages that they stand for.

    Attributes:
        search: how the recipe says that it is searched.
        to_last: gives the backbone the parameters that training ended with, where those before evaluated better;
            None where it has them.
    """

    backbone: Backbone
    table: DocidTable
    passages: PassageStore
    search: SearchOptions
    to_last: Callable[[], None] | None = None

    def retriever(self, options: SearchOptions | None = None) -> GenerativeRetriever:
        """What answers queries with it, searched as the recipe says unless `options` say otherwise."""
        return GenerativeRetriever(self.backbone, self.table, self.passages, options=options or self.search)


def run_recipe(recipe: Recipe, *, resume: bool = False, stages: Stages | None = None) -> Trained:
    """Read, assign docids, train; metrics and checkpoints go below `recipe.output`.

    `stages` times and announces each part.

    Raises:
        InputError: an input cannot be used; the message says which and why.
    """
    return Run(recipe, resume, stages).trained()


class Run:
    """The stages of a run, and what several of them need."""

    def __init__(self, recipe: Recipe, resume: bool = False, stages: Stages | None = None) -> None:
        self.recipe, self.resume, self.stages = recipe, resume, stages or Stages()
        self.folder, self.world = Path(recipe.output), World.join()
        self.passages = read_store(recipe.data.corpus, skip_empty=recipe.data.skip_empty)
        self.encoder: SentenceEncoder | None = None
        self._read: Material | None = None
        if recipe.model.kind == "frozen-encoder" or "embeddings" in recipe.docids.reads:
            name = recipe.model.name if recipe.model.kind == "frozen-encoder" else None
            self.encoder = SentenceEncoder.load(name)

    def trained(self) -> Trained:
        """Run all stages."""
        recipe = self.recipe
        backbone = self.backbone()
        if recipe.codebook is not None or "embeddings" in recipe.docids.reads:
            with self.stages.stage("encode the passages"), self.world.in_turn():
                self._vectors()
        with self.stages.stage("make the docids"):
            table = self.bound_table(backbone)
        sources = {} if recipe.data.packed else self.sources(table, backbone)
        hits = self._run_hits(table, backbone)
        if recipe.codebook is not None and isinstance(backbone, FrozenEncoderBackbone):
            start_from_codebooks(backbone, self._codebooks(recipe.codebook, table, sources, backbone))
            if backbone.model.config.docid_width:
                with self.stages.stage("solve for the docid network"):
                    solve_docid_network(backbone, table, self._vectors(), seed=recipe.seed)
        to_last = None
        if recipe.training is not None:
            to_last = self._decoder(recipe.training, backbone, table, sources, hits)
        return Trained(backbone, table, self.passages, recipe.searched, to_last)

    def backbone(self) -> Backbone:
        """The model as it is before training, where it will run."""
        backbone: Any = self._new_backbone()
        found: Backbone = backbone.to(pick_device())
        return found

    def _new_backbone(self) -> Backbone:
        model = self.recipe.model
        if model.config is not None:
            return new_t5(model.config, model.tokenizer or "", seed=self.recipe.seed, **model.options)
        if model.kind != "frozen-encoder":
            if model.name is None:
                raise InputError(f"model.name: a model of kind {model.kind} needs a folder or a hub name.")
            return load_backbone(model.name, model.kind, **model.options)
        assert self.encoder is not None
        return FrozenEncoderBackbone.build(self.encoder, seed=self.recipe.seed, **model.options)

    def bound_table(self, backbone: Backbone) -> DocidTable:
        """The docids in the model's vocabulary, which is extended for them."""
        if self.recipe.data.packed is not None:
            return packed_table(PackedExamples.load(self.recipe.data.packed, verify=False), backbone)
        unbound = self._table(backbone)
        return unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))

    def _table(self, backbone: Backbone) -> DocidTable:
        docids = self.recipe.docids
        if docids.table is not None:
            return DocidTable.load(docids.table)
        return make_docids(docids.make(), self.passages, self._vectors, partial(text_ids, backbone.tokenizer))

    def _vectors(self) -> npt.NDArray[Any]:
        assert self.encoder is not None
        return passage_vectors(self.recipe.data.passage_vectors, self.passages, self.encoder)

    def sources(self, table: DocidTable, backbone: Backbone) -> dict[str, Examples]:
        """The examples of every source that the mixture names."""
        token = self.recipe.docids.separator
        separator = [] if token is None else backbone.extend_vocabulary([token])
        targets = Targets(table, backbone.eos_token_id, separator)
        material = self._material(backbone)
        found = {}
        for name, ratio in self.recipe.mixture.items():
            if ratio > 0:
                pairs = make_source(name, self.recipe.sources.get(name, {})).open(material)
                found[name] = Examples(Guarded(pairs, material.evaluation, name), name, targets)
        return found

    def _material(self, backbone: Backbone) -> Material:
        """What the sources read; read once."""
        if self._read is None:
            recipe = self.recipe
            self._read = read_material(recipe.data, self.passages, backbone.tokenizer, recipe.seed)
        return self._read

    def _run_hits(self, table: DocidTable, backbone: Backbone) -> RunHits | None:
        """The candidates of `loss.run`: read before anything is trained, so that a wrong line ends no long run."""
        loss = self.recipe.loss
        if loss.run is None:
            return None
        material, eos = self._material(backbone), backbone.eos_token_id
        return RunHits.read(loss.run, material, table, eos, loss.candidates + 1)

    def _codebooks(
        self,
        options: TrainingOptions,
        table: DocidTable,
        sources: Mapping[str, Sequence[Example]],
        backbone: FrozenEncoderBackbone,
    ) -> CodebookModel:
        """The linear index, trained; its run has a folder of its own."""
        teacher_options = self.recipe.teacher
        with self.stages.stage("encode what is trained on"):
            texts, vectors = source_vectors(backbone, sources)
        teacher = DenseTeacher(
            texts,
            vectors,
            self._vectors(),
            gold_share=teacher_options.gold_share,
            temperature=teacher_options.temperature,
            neighbours=teacher_options.neighbours,
            query_map=self._query_map(texts, vectors, sources),
        )
        paths = DocidPaths(table, teacher_options.prefixes)
        solved = bool(backbone.model.config.docid_width)
        model = CodebookModel(teacher, paths, fixed_queries=solved, seed=self.recipe.seed)
        with self.stages.stage("train the codebooks"):
            self._train(model, options, sources, "codebook", backbone, "cpu")
        return model

    def _query_map(
        self, texts: Sequence[str], vectors: npt.NDArray[Any], sources: Mapping[str, Sequence[Example]]
    ) -> torch.Tensor | None:
        """The linear map that the labelled queries make, if it is asked for and there are any."""
        steps = self.recipe.teacher.query_map_steps
        asked = [example for one in self._labelled(sources) for example in one]
        if not steps or not asked:
            return None
        places = {text: place for place, text in enumerate(texts)}
        with self.stages.stage("fit the query map"):
            return fit_query_map(
                vectors[[places[example.source] for example in asked]],
                np.array([example.document for example in asked], np.int64),
                self._vectors(),
                steps=steps,
                temperature=self.recipe.teacher.temperature,
                seed=self.recipe.seed,
            )

    def _labelled(self, sources: Mapping[str, Sequence[Example]]) -> list[Sequence[Example]]:
        options = self.recipe.sources
        kinds = {name: make_source(name, options.get(name, {})).name for name in sources}
        return [examples for name, examples in sources.items() if kinds[name] == "labelled"]

    def _decoder(
        self,
        options: TrainingOptions,
        backbone: Backbone,
        table: DocidTable,
        sources: Mapping[str, Sequence[Example]],
        hits: RunHits | None,
    ) -> Callable[[], None] | None:
        """Train the backbone; what `Trained.to_last` is."""
        encode = None
        if isinstance(backbone, FrozenEncoderBackbone):
            texts = [example.source for examples in sources.values() for example in examples]
            config = backbone.model.config
            states = StateCache.build(
                default_cache().with_name("states"),
                backbone.sentence_encoder,
                texts,
                max_length=config.max_source_tokens,
                keep=config.memory_tokens,
            )
            frozen = backbone

            def encode(texts: Sequence[str]) -> Any:
                return frozen.encode_states(*states.batch(texts))

        loss, smoothing, seed = self.recipe.loss, options.label_smoothing_factor, options.seed
        objective = make_objective(
            loss,
            table,
            backbone,
            label_smoothing=smoothing,
            seed=seed,
            find=self._finder(hits, table, backbone),
        )
        if loss.kind == "sampled":
            mark_tables(backbone)
        module = TrainingModule(backbone, objective, encode)  # type: ignore[arg-type]
        with self.stages.stage("train the decoder"):
            last = self._train(module, options, sources, "decoder", backbone, backbone.device, table)
        backbone.eval()  # type: ignore[attr-defined]
        return None if last is None else partial(load_weights, module, last)

    def _finder(self, hits: RunHits | None, table: DocidTable, backbone: Backbone) -> Finder | None:
        """Where a loss that ranks has its candidates from: a run, or the model's own beams."""
        loss = self.recipe.loss
        if hits is not None or not loss.ranks:
            return hits
        return Beams(self._constraint(table, backbone), loss.candidates + 1)

    def _constraint(self, table: DocidTable, backbone: Backbone) -> TrieConstraint:
        return shared_constraint(self.folder, table, backbone.eos_token_id, self.world)

    def _train(
        self,
        module: torch.nn.Module,
        options: TrainingOptions,
        sources: Mapping[str, Sequence[Example]],
        name: str,
        backbone: Backbone,
        device: torch.device | str,
        table: DocidTable | None = None,
    ) -> Path | None:
        """Train `module`; with a `table` it is evaluated by retrieval on the way.

        Returns the checkpoint at the end where an earlier one evaluated better, and is what `module` has.
        """
        data = self.recipe.data
        given = (data.judgements, data.passage_vectors, self.recipe.loss.run)
        files = [path for path in given if path and Path(path).is_file()]
        first = provenance(to_mapping(self.recipe), {"recipe": self.recipe.seed, name: options.seed}, files)
        first["corpus"] = self.passages.fingerprint
        feed = self._feed(options, sources, backbone, device)
        engine = make_engine(module, options, self.world)
        evaluate = None
        if table is not None and options.eval_steps:
            evaluate = self._check(backbone, table)
        trainer = Trainer(
            engine, feed, options, folder=self.folder / name, world=self.world, evaluate=evaluate
        )
        result = trainer.train(first, resume=self.resume)
        best = result.best or result.last
        engine.settle(best)
        return None if best == result.last else result.last

    def _feed(
        self,
        options: TrainingOptions,
        sources: Mapping[str, Sequence[Example]],
        backbone: Backbone,
        device: torch.device | str,
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

    def _check(self, backbone: Backbone, table: DocidTable) -> RetrievalCheck:
        recipe = self.recipe
        return RetrievalCheck(
            backbone,
            self._constraint(table, backbone),
            evaluation_queries(recipe.data, self.passages),
            size=recipe.training.eval_queries if recipe.training else 0,
            search={"num_beams": recipe.searched.num_beams, "score": recipe.searched.score},
            world=self.world,
            seed=recipe.seed,
        )


def packed_table(packed: PackedExamples, backbone: Backbone) -> DocidTable:
    """The docids of packed examples, after the model's vocabulary was extended for them.

    Raises:
        InputError: the examples were made with another tokenizer.
    """
    table = packed.table
    backbone.extend_vocabulary(table.new_tokens)
    packed.check_tokenizer(tokenizer_fingerprint(backbone.tokenizer))
    return table
