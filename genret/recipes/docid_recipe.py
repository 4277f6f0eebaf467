"""A training run whose model emits docids: docids, examples, where the decoder starts, its training.

Knows the order of the stages and what each hands to the next; what every recipe has in common is in `steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from docid import DocidTable
from docid.strategies import Strategy
from docid.words import words_alone
from genret.corpus import PassageStore
from genret.device import pick_device
from genret.docids.beside_table import load_words, words_file
from genret.docids.fitted import FittedStrategy
from genret.docids.make import make_docids
from genret.errors import InputError
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.models import load_backbone
from genret.models.backbone import Backbone
from genret.models.encoder_decoder import EncoderDecoderBackbone
from genret.models.frozen.frozen_encoder import EncodedStates, FrozenEncoderBackbone
from genret.models.frozen.sentence_encoder import SentenceEncoder, packaged_folder
from genret.models.new_t5 import new_t5
from genret.models.pretrained import PretrainedBackbone
from genret.models.word_backbone import WordBackbone
from genret.recipes.linear_start import linear_start
from genret.recipes.recipe_options import DocidRecipe
from genret.recipes.shared_trie import shared_constraint
from genret.recipes.steps import Held, Sources, Steps
from genret.recipes.word_weight import learned_weight
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.tokenizer.fingerprint import tokenizer_fingerprint
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import text_ids
from genret.training.examples.batch import TrainingModule
from genret.training.examples.example import Examples, Targets
from genret.training.examples.material import held_back_queries
from genret.training.examples.mixture import Mixture
from genret.training.examples.packed import PackedExamples
from genret.training.linear_index.source_states import SourceStates
from genret.training.loop.training_options import TrainingOptions
from genret.training.losses.base import Loss, RankingLoss, Training
from genret.training.losses.ranked_candidates import BeamFinder, Finder, RunHits
from genret.vectors.embedding import passage_vectors
from genret.words import Words, choose_words, words_of

__all__ = ["DocidRun", "Trained", "run_recipe"]


@dataclass(frozen=True)
class Trained:
    """What a run made: a backbone, the docids bound to its vocabulary, and the passages that they stand for.

    Attributes:
        search: how the recipe says that it is searched.
        words: of the docids; None: they are codes alone.
        note: a sentence on what was learned beside the decoder; None: nothing was.
        fitted: the strategy that gave the docids, and gives later passages theirs; None where they came from a table.
        vectors: of the passages, floats [N, d]; None where the run needed none.
        to_last: gives the backbone the parameters that training ended with, where those before evaluated better;
            None where it has them.
    """

    backbone: Backbone
    table: DocidTable
    passages: PassageStore
    search: SearchOptions
    words: Words | None = None
    note: str | None = None
    fitted: FittedStrategy | None = None
    vectors: npt.NDArray[Any] | None = None
    to_last: Callable[[], None] | None = None

    def retriever(self, options: SearchOptions | None = None) -> GenerativeRetriever:
        """What answers queries with it, searched as the recipe says unless `options` say otherwise."""
        options = options or self.search
        return GenerativeRetriever(
            self.backbone, self.table, self.passages, words=self.words, fitted=self.fitted, options=options
        )


def run_recipe(
    recipe: DocidRecipe,
    *,
    held: Held | None = None,
    resume: bool = False,
    stages: Stages | None = None,
) -> Trained:
    """Read, assign docids, train; metrics and checkpoints go below `recipe.output`.

    Args:
        held: what is in memory already, and is neither read nor loaded again.
        stages: times and announces each part.

    Raises:
        InputError: an input cannot be used; the message says which and why.
    """
    return DocidRun(recipe, held=held, resume=resume, stages=stages).trained()


class DocidRun(Steps[DocidRecipe]):
    """The stages of a run, and what several of them need."""

    _words: Words | None = None
    _strategy: Strategy | None = None

    def trained(self) -> Trained:
        """Run all stages."""
        recipe = self.recipe
        backbone = self.backbone()
        vectors = None
        if recipe.codebook is not None or "embeddings" in recipe.docids.reads:
            with self.stages.stage("encode the passages"), self.world.in_turn():
                vectors = self.vectors
        with self.stages.stage("make the docids"):
            table = self.bound_table(backbone)
        self._words = self._chosen_words(backbone)
        sources = {} if recipe.data.packed else self.docid_examples(table, backbone)
        hits = self._run_hits(table, backbone)
        to_last, note = None, None
        if recipe.codebook is not None and isinstance(backbone, FrozenEncoderBackbone):
            given = (table, self._strategy, self._words, sources, self.vectors)
            start = linear_start(self, recipe.codebook, backbone, *given)
            self._words, note = start.words, start.note
        if recipe.training is not None:
            to_last = self._decoder(recipe.training, backbone, table, sources, hits)
            note = "; ".join(filter(None, [note, self._weigh_words(table, backbone)])) or None
        return Trained(
            backbone,
            table,
            self.passages,
            recipe.searched,
            words=self._words,
            note=note,
            fitted=self._fitted(),
            vectors=vectors,
            to_last=to_last,
        )

    @cached_property
    def loss(self) -> Loss:
        """What the decoder is trained on."""
        return self.recipe.made_loss()

    @cached_property
    def encoder(self) -> SentenceEncoder:
        """The frozen encoder of the model, or the packaged one where the model has none."""
        model = self.recipe.model
        name = model.name if model.kind == "frozen-encoder" else None
        return self.held.encoder or SentenceEncoder.load(name)

    @cached_property
    def vectors(self) -> npt.NDArray[Any]:
        """The passages', floats [N, d]."""
        return passage_vectors(self.recipe.data.passage_vectors, self.passages, self.encoder)

    def backbone(self) -> Backbone:
        """The model as it is before training, where it will run."""
        return self._new_backbone().to(pick_device())

    def _new_backbone(self) -> Backbone:
        model = self.recipe.model
        if model.config is not None:
            return new_t5(model.config, model.tokenizer or "", seed=self.recipe.seed, **model.options)
        if model.kind == "frozen-encoder":
            return FrozenEncoderBackbone.build(self.encoder, seed=self.recipe.seed, **model.options)
        if model.kind == "words":
            return WordBackbone(load_tokenizer(model.name or packaged_folder()))
        if model.name is None:
            raise InputError(f"model.name: a model of kind {model.kind} needs a folder or a hub name.")
        return load_backbone(model.name, model.kind, **model.options)

    def bound_table(self, backbone: Backbone) -> DocidTable:
        """The docids in the model's vocabulary, which is extended for them."""
        if self.recipe.data.packed is not None:
            return packed_table(PackedExamples.load(self.recipe.data.packed, verify=False), backbone)
        unbound = self._table(backbone)
        return unbound.bind(backbone.extend_vocabulary(unbound.new_tokens))

    def _chosen_words(self, backbone: Backbone) -> Words | None:
        """The words beside the codes; after the vocabulary was extended, which words are numbered by."""
        options = self.recipe.docids.word_options
        if options is None:
            return self._words and self._words.widened()
        with self.stages.stage("choose the words"):
            return choose_words(self.passages, backbone.source_tokenizer, options)

    def _table(self, backbone: Backbone) -> DocidTable:
        docids = self.recipe.docids
        if docids.table is not None:
            return self._given_table(Path(docids.table), backbone)
        tokenize, strategy = partial(text_ids, backbone.tokenizer), docids.make()
        self._strategy = strategy
        return make_docids(strategy, self.passages, lambda: self.vectors, tokenize)

    def _given_table(self, path: Path, backbone: Backbone) -> DocidTable:
        """The table in a file; the words beside it are the model's, unless others are to be chosen."""
        table, kind = DocidTable.load(path), self.recipe.model.kind
        if words_alone(table) != (kind == "words"):
            found = "words alone" if words_alone(table) else "codes"
            raise InputError(
                f"{path}: its docids are {found}, and model.kind is {kind}; docids of words alone need kind words, and those "
                "of codes a kind that emits them."
            )
        sets = load_words(path, table)
        if sets is not None and self.recipe.docids.words is None:
            self._words = words_of(sets, backbone.source_tokenizer, str(words_file(path)))
        return table

    def _fitted(self) -> FittedStrategy | None:
        """What gave the docids; None where they came from a table, or a file could not lead back to it."""
        if self._strategy is None:
            return None
        own = "embeddings" in self._strategy.reads and self.recipe.data.passage_vectors is None
        fitted = FittedStrategy(self._strategy, self.encoder.fingerprint if own else None)
        return fitted if fitted.is_found_again() else None

    def docid_examples(self, table: DocidTable, backbone: Backbone) -> dict[str, Examples]:
        """The examples of every source, docids as their targets."""
        token = self.recipe.docids.separator
        separator = [] if token is None else backbone.extend_vocabulary([token])
        return self.examples(backbone, Targets(table, backbone.eos_token_id, separator))

    def _run_hits(self, table: DocidTable, backbone: Backbone) -> RunHits | None:
        """The candidates of `loss.run`, or of judgements: read before anything is trained, so that a wrong line ends no
        long run.
        """
        loss = self.loss
        if not isinstance(loss, RankingLoss) or not loss.by_text:
            return None
        material, eos = self.material(backbone), backbone.eos_token_id
        if loss.run is None:
            return RunHits.judged(material, table, eos, loss.candidates + 1)
        return RunHits.read(loss.run, material, table, eos, loss.candidates + 1)

    def _decoder(
        self,
        options: TrainingOptions,
        backbone: Backbone,
        table: DocidTable,
        sources: Sources,
        hits: RunHits | None,
    ) -> Callable[[], None] | None:
        """Train the backbone; what `Trained.to_last` is."""
        adapter = self.recipe.model.adapter
        if adapter is not None and isinstance(backbone, PretrainedBackbone):
            backbone.adapt(adapter, self.recipe.model.name, self.recipe.seed)
        find = self._finder(hits, table, backbone)
        training = Training(backbone, table, options.label_smoothing_factor, options.seed, find)
        module = TrainingModule(
            backbone,
            self.loss.objective(training),
            self.loss.weigh,
            by_rows=self.loss.by_rows,
            encode=self._states(options, backbone, sources),
            encode_ids=backbone.encode_ids if isinstance(backbone, EncoderDecoderBackbone) else None,
        )
        searched = partial(self._retriever, table, backbone)
        with self.stages.stage("train the decoder"):
            return self.train_model(module, options, sources, "decoder", backbone, searched)

    def _states(
        self, options: TrainingOptions, backbone: Backbone, sources: Sources
    ) -> Callable[[Sequence[str]], EncodedStates] | None:
        """A frozen encoder's outputs for what is trained on; None for any other model."""
        if not isinstance(backbone, FrozenEncoderBackbone):
            return None
        config = backbone.model.config
        states = SourceStates(
            default_cache().with_name("states"),
            backbone.sentence_encoder,
            sources,
            self._drawn(options, sources),
            max_length=config.max_source_tokens,
            keep=config.memory_tokens,
            bf16=options.bf16,
        )
        return lambda texts: backbone.encode_states(*states.batch(texts))

    def _drawn(self, options: TrainingOptions, sources: Sources) -> dict[str, int] | None:
        """How many examples of each source the run draws; None where only time ends it."""
        if options.max_steps is None:
            return None
        sizes = {name: len(examples) for name, examples in sources.items()}
        mixture = Mixture(sizes, self.recipe.mixture, seed=options.seed, options=self.recipe.mixing)
        return mixture.counts(options.max_steps * options.batch_size)

    def _weigh_words(self, table: DocidTable, backbone: Backbone) -> str | None:
        """Learn the weight of words from the labelled queries that were held back; a sentence on it, None: there are none."""
        data = self.recipe.data
        if self._words is None or self.held.queries is not None:
            return None
        labelled = held_back_queries(data, self.passages, self.recipe.seed)
        if not labelled:
            return None
        with self.stages.stage("weigh the words"):
            self._words, note = learned_weight(self._retriever(table, backbone), labelled)
        return note

    def _finder(self, hits: RunHits | None, table: DocidTable, backbone: Backbone) -> Finder | None:
        """Where a loss that ranks has its candidates from: a run, or the model's own beams."""
        loss = self.loss
        if hits is not None or not isinstance(loss, RankingLoss):
            return hits
        return BeamFinder(self._retriever(table, backbone).constraint, loss.candidates + 1)

    def _retriever(self, table: DocidTable, backbone: Backbone) -> GenerativeRetriever:
        """The model as it is at the moment, with the trie that all processes of a host share."""
        trie = shared_constraint(self.folder, table, backbone.eos_token_id, self.world).trie
        return GenerativeRetriever(
            backbone, table, self.passages, trie=trie, words=self._words, options=self.recipe.searched
        )


def packed_table(packed: PackedExamples, backbone: Backbone) -> DocidTable:
    """The docids of packed examples, after the model's vocabulary was extended for them.

    Raises:
        InputError: the model cannot read them, or they were made with another tokenizer.
    """
    if not isinstance(backbone, EncoderDecoderBackbone):
        raise InputError(
            f"data.packed: only an encoder-decoder reads packed examples, found a {type(backbone).__name__}."
        )
    table = packed.table
    backbone.extend_vocabulary(table.new_tokens)
    packed.check_tokenizer(tokenizer_fingerprint(backbone.tokenizer))
    return table
