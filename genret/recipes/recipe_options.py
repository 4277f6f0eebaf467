"""What a training run is described by: the sections of its YAML file.

Knows names, numbers and what goes together; does none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

from annotated_types import Interval

from docid.strategies import Strategy, WordsAlone
from genret.config import Count, Fraction, Number, Positive, Seed, Weight, check_bounds
from genret.docids.beside_table import word_options
from genret.docids.strategies import make_strategy, strategy_class
from genret.errors import InputError
from genret.models.kinds import check_model_options
from genret.models.shapes import T5Shape, given_values
from genret.models.weight_adapters.options import AdapterOptions
from genret.retrieval.constraints import ConstraintOptions
from genret.retrieval.ngrams.views import NgramOptions
from genret.retrieval.search_options import SearchOptions
from genret.training.examples.material import DataOptions
from genret.training.examples.mixture import MixtureOptions
from genret.training.examples.sources import make_source
from genret.training.linear_index.teacher import TEACHER_DOOR, Teacher
from genret.training.loop.training_options import TrainingOptions
from genret.training.losses.loss_kinds import Loss, RankingLoss, make_loss
from genret.words.words import WordOptions

__all__ = [
    "DocidModelOptions",
    "DocidOptions",
    "DocidRecipe",
    "NgramModelOptions",
    "NgramRecipe",
    "Recipe",
    "TeacherOptions",
]


@dataclass(frozen=True)
class DocidOptions:
    """A docid strategy and its own options, or a table that `genret docid build` wrote.

    Attributes:
        separator: a new token between the docids of an example that has several answers.
        words: a set of words beside each docid's codes; None: those that lie beside `table`, or codes alone. The strategy
            "words" has none beside: it is words alone, and their options are its own.
    """

    strategy: str = "residual"
    options: dict[str, Any] = field(default_factory=dict)
    table: str | None = None
    separator: str | None = None
    words: WordOptions | None = None

    def __post_init__(self) -> None:
        _ = self.word_options

    @property
    def word_options(self) -> WordOptions | None:
        """Which words are to be chosen; None: none are."""
        return self.words if self.table is not None else word_options(self.make(), self.words)

    def make(self) -> Strategy:
        """The strategy, not yet fitted.

        Raises:
            InputError: there is none of this name, or an option of it cannot be used.
        """
        strategy_class(self.strategy, "strategy")
        return make_strategy(self.strategy, self.options, "options")

    @property
    def reads(self) -> tuple[str, ...]:
        """What the strategy reads of the documents (see `Strategy.reads`); nothing where there is a table."""
        return () if self.table is not None else strategy_class(self.strategy, "strategy").reads


@dataclass(frozen=True)
class DocidModelOptions:
    """What emits docids.

    Attributes:
        kind: "frozen-encoder", "encoder-decoder", "causal", "words" (no network: for docids of words alone), or a guest's
            `BackboneKind`.
        name: folder or hub name; for a frozen encoder, and for the tokenizer whose tokens are the words, None is the
            packaged all-MiniLM-L6-v2.
        options: for a frozen encoder the decoder's shape, else what `load_backbone` takes.
        config: for a T5 without weights, fields of `T5Config`, in place of `name`.
        tokenizer: of that T5, a folder or a hub name.
        adapter: adapters that are trained in place of the model's weights; causal models and encoder-decoders only.
    """

    kind: str = "frozen-encoder"
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] | None = None
    tokenizer: str | None = None
    adapter: AdapterOptions | None = None

    def __post_init__(self) -> None:
        if self.config is not None and (
            self.kind != "encoder-decoder" or self.name is not None or self.tokenizer is None
        ):
            raise InputError(
                "config: a new T5 needs kind: encoder-decoder, a tokenizer, and no name; found "
                f"kind {self.kind}, tokenizer {self.tokenizer}, name {self.name}."
            )
        check_model_options(self.kind, self.options)
        given_values(T5Shape, self.config or {}, "config")
        if self.adapter is not None and self.kind not in ("causal", "encoder-decoder"):
            raise InputError(
                f"adapter: adapters are of causal models and encoder-decoders, kind is {self.kind}; leave it out."
            )
        if self.adapter is not None and self.adapter.export == "adapters" and self.name is None:
            raise InputError(
                "adapter.export: adapters alone need a model.name that they belong to; set it to merged."
            )


@dataclass(frozen=True)
class NgramModelOptions:
    """What generates n-grams.

    Attributes:
        name: folder or hub name; None is the packaged SmolLM2-135M-Instruct.
        options: what `load_backbone` takes; a causal model's `template` is "{query}" unless given, since each view
            says what the model reads.
        frozen_layers: the lowest so many layers keep their weights in training, and so do the embeddings,
            with the output layer where it is tied to them: less time a step. None: all weights are trained.
        adapter: adapters that are trained in place of the model's weights.
    """

    kind: str = "causal"
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    frozen_layers: Annotated[int, Interval(ge=0, le=1 << 12)] | None = None
    adapter: AdapterOptions | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.kind in ("frozen-encoder", "words"):
            raise InputError(
                f"kind: expected encoder-decoder, causal or a guest's; a model of kind {self.kind} emits docids alone."
            )
        check_model_options(self.kind, self.options)
        if self.adapter is not None and self.frozen_layers is not None:
            raise InputError(
                "frozen_layers: with an adapter all layers keep their weights; leave one of the two out."
            )
        if self.adapter is not None and self.kind not in ("causal", "encoder-decoder"):
            raise InputError(
                f"adapter: adapters are of causal models and encoder-decoders, kind is {self.kind}; leave it out."
            )


@dataclass(frozen=True)
class TeacherOptions:
    """See `DenseTeacher`; a task that `gold_share` does not name learns from the teacher alone.

    Attributes:
        kind: whose scores: "dense", or a guest's `Teacher`.
        options: of that kind.
        query_map_steps: of fitting the query side (a linear map of query vectors, and the weight of words) to the source
            "labelled"; 0: none.
    """

    kind: str = "dense"
    options: dict[str, Any] = field(default_factory=dict)
    gold_share: dict[str, Fraction] = field(default_factory=lambda: {"labelled": 0.5})
    temperature: Positive = 0.05
    neighbours: Count = 16
    prefixes: tuple[Count, ...] = (2,)
    query_map_steps: Number = 0

    def __post_init__(self) -> None:
        check_bounds(self)
        self.make()

    def make(self) -> Teacher:
        """The teacher.

        Raises:
            InputError: there is none of this kind, or an option of it cannot be used.
        """
        return TEACHER_DOOR.make(self.kind, self.options, "kind")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run, whatever its model emits.

    Attributes:
        output: folder of the run: metrics, checkpoints, and the model folder.
        mixture: each source's share of the examples seen.
        mixing: how the shares become draws: temperature, and how much of a source an epoch is.
        sources: options of sources, by the names in `mixture`; `kind` says which source it is where the name does
            not (see `genret.training.examples.sources`).
        training: training of the model; None: it stays as it started.
        loss: what the model is trained on: its `kind`, and that kind's options (see `genret.training.losses.loss_kinds`).
        constraint: what may be found where the run itself searches, in its evaluations and a study's; None: every
            passage. It belongs to a search and is not stored with the model.
    """

    output: str
    data: DataOptions
    mixture: dict[str, Weight] = field(default_factory=dict)
    mixing: MixtureOptions = field(default_factory=MixtureOptions)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: TrainingOptions | None = None
    loss: dict[str, Any] = field(default_factory=dict)
    constraint: ConstraintOptions | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_bounds(self)
        self.made_loss()
        if self.training is not None and not self.mixture:
            raise InputError("mixture: training needs sources; give each a share.")
        if self.training is not None and self.training.max_steps == 0:
            raise InputError(
                "training.max_steps: found 0; leave out training where there is nothing to train."
            )
        if unused := sorted(set(self.sources) - set(self.mixture)):
            raise InputError(
                f"sources.{unused[0]}: the mixture has no such name; give it a share, or drop it."
            )
        for name, ratio in self.mixture.items():
            source = make_source(name, self.sources.get(name, {}))
            if ratio and source.name == "labelled" and self.data.judgements is None:
                raise InputError(f"mixture.{name}: the source needs data.judgements, which is not given.")

    def made_loss(self) -> Loss:
        """The loss that `loss` describes.

        Raises:
            InputError: there is none of this kind, or an option cannot be used.
        """
        return make_loss(self.loss)

    @property
    def files(self) -> list[str]:
        """What a run is made of beside its corpus, as far as it is given."""
        loss = self.made_loss()
        run = loss.run if isinstance(loss, RankingLoss) else None
        given = (self.data.judgements, self.data.passage_vectors, run)
        return [path for path in given if path is not None]


@dataclass(frozen=True, kw_only=True)
class DocidRecipe(Recipe):
    """A run whose model emits docids.

    Attributes:
        codebook: training of the linear index that the decoder starts from; with max_steps 0 its codes stay what is
            nearest to the passages' vectors; None: the decoder starts from noise. Frozen encoders only.
        search: how the model is searched, in evaluations on the way and afterwards; stored with it.
    """

    docids: DocidOptions = field(default_factory=DocidOptions)
    model: DocidModelOptions = field(default_factory=DocidModelOptions)
    teacher: TeacherOptions = field(default_factory=TeacherOptions)
    codebook: TrainingOptions | None = None
    search: SearchOptions = field(default_factory=SearchOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_run()
        if self.model.adapter is not None and self.made_loss().by_rows:
            raise InputError(
                f"model.adapter: the loss {self.loss['kind']} updates whole tables of tokens, which adapters leave as they "
                "are; choose another loss."
            )
        if self.docids.table is None:
            self._check_words()
        if self.model.kind == "words":
            self._check_untrained()
            return
        if self.codebook is None and self.training is None:
            raise InputError("neither codebook nor training is given; there is nothing to train.")
        if not self.mixture and (self.codebook is None or self.codebook.max_steps != 0):
            raise InputError("mixture: training needs sources; give each a share.")
        if self.codebook is not None and self.model.kind != "frozen-encoder":
            raise InputError(
                f"codebook: only frozen encoders start from codebooks, model.kind is {self.model.kind}."
            )

    @property
    def searched(self) -> SearchOptions:
        """`search` with its score: raw for a decoder that starts from codebooks, which rank by raw sums."""
        return self.search.scored("full" if self.codebook is None else "raw")

    def with_seed(self, seed: int) -> DocidRecipe:
        """The same run with another seed in everything that draws: docids, sources, order, parameters."""
        docids = self.docids
        if docids.table is None and "seed" in {field.name for field in fields(docids.make())}:  # type: ignore[arg-type]
            docids = replace(docids, options={**docids.options, "seed": seed})
        codebook = None if self.codebook is None else replace(self.codebook, seed=seed)
        training = None if self.training is None else replace(self.training, seed=seed)
        return replace(self, seed=seed, docids=docids, codebook=codebook, training=training)

    def _check_words(self) -> None:
        """Docids of words alone, and a model that has nothing to say of codes, belong together."""
        alone = isinstance(self.docids.make(), WordsAlone)
        if alone and self.model.kind != "words":
            raise InputError(
                "docids.strategy: words alone have no codes that a model could emit; set model.kind to words, found "
                f"{self.model.kind}. For words beside codes, give docids.words and a strategy of codes."
            )
        if not alone and self.model.kind == "words":
            raise InputError(
                "model.kind: a model of words has no network that could emit codes; set docids.strategy to words, found "
                f"{self.docids.strategy}."
            )

    def _check_untrained(self) -> None:
        for name in ("codebook", "training"):
            if getattr(self, name) is not None:
                raise InputError(f"{name}: a model of kind words has nothing to train; leave it out.")
        if self.search.mode != "plan":
            raise InputError(
                f"search.mode: found {self.search.mode}; docids of words alone have no codes that a beam could follow: set "
                "it to plan."
            )

    def _check_run(self) -> None:
        loss = self.made_loss()
        if not isinstance(loss, RankingLoss) or not loss.by_text:
            return
        key = "loss.judged" if loss.judged else "loss.run"
        if self.data.packed is not None:
            raise InputError(
                f"{key}: packed examples have no texts by which to look them up; leave out data.packed, or {key} for the "
                "model's own beams."
            )
        if self.data.judgements is None:
            raise InputError(f"{key}: data.judgements must say which passages are right; it is not given.")


@dataclass(frozen=True, kw_only=True)
class NgramRecipe(Recipe):
    """A run whose model generates n-grams of the passages.

    Attributes:
        retrieval: views, beams and scoring, stored with the model.
        pseudo_queries: JSON lines with `passage_id` and `text`; they become a field of the passages.
    """

    retrieval: NgramOptions
    model: NgramModelOptions = field(default_factory=NgramModelOptions)
    pseudo_queries: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.made_loss().of_docids:
            raise InputError(
                f"loss.kind: {self.loss['kind']} is of docids; n-grams are learned by cross-entropy or consistency."
            )
        if self.data.packed is not None:
            raise InputError("data.packed: packed examples hold docids, and this model generates n-grams.")

    @property
    def files(self) -> list[str]:
        return [*super().files, *([] if self.pseudo_queries is None else [self.pseudo_queries])]
