"""The stages of a fit, one after the other, inside the budget.

Knows which recipe a corpus and a budget call for; the recipe's work is done by `genret.training`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from genret.artefact import refuse_existing
from genret.corpus import PassageStore
from genret.corpus.sources import shown
from genret.fitting.budget import FitPlan, make_plan
from genret.fitting.fit_data import FitData, read_data
from genret.fitting.fit_options import FitOptions
from genret.fitting.fit_report import FitReport
from genret.fitting.systems import SystemScores, compare_systems
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import labelled_rows
from genret.recipes.docid_recipe import Trained, run_recipe
from genret.recipes.recipe_options import DocidModelOptions, DocidOptions, DocidRecipe, TeacherOptions
from genret.recipes.steps import Held
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.training.examples.material import DataOptions
from genret.training.loop.training_options import TrainingOptions
from genret.words.words import WordOptions

__all__ = ["run_fit"]

# Fewer labelled queries than this have not been seen to make a query side better than the untrained one.
LEAST_LABELLED, QUERY_SIDE_STEPS = 1000, 260


def run_fit(settings: FitOptions, announce: Callable[[str], None] = lambda line: None) -> FitReport:
    """Train a model that is the index of a corpus, test it beside its baselines, and write its folder.

    What takes longest, encoding, is cached: a fit that was interrupted goes on from there when it is called again.

    Args:
        settings: inputs and limits.
        announce: receives the plan before work begins, and a line for each stage.

    Raises:
        InputError: the inputs cannot be used, or the output exists.
        UsageError: the budget is too short for this corpus.
    """
    refuse_existing(settings.output, settings.overwrite)
    stages = Stages(announce)
    with stages.stage("read the corpus"):
        data = read_data(settings, announce)
    with stages.stage("load the encoder and measure it"):
        encoder = SentenceEncoder.load(settings.encoder)
        plan = make_plan(data, encoder, settings.budget_seconds)
    lines = plan.lines(data)
    for line in lines:
        announce(line)
    # What training may see: the passages without what is held back of them.
    seen = data.store if data.passages is data.store else PassageStore.build(data.passages)
    held = Held(seen, data.queries, data.train, encoder)
    trained = run_recipe(_recipe(settings, data, plan), held=held, stages=stages)
    if trained.note is not None:
        announce(trained.note)
    with stages.stage("save, and load again"):
        retriever = replace(trained, passages=data.store).retriever()
        retriever.save_pretrained(settings.output, overwrite=settings.overwrite)
        retriever = GenerativeRetriever.from_pretrained(settings.output)
    comparison = _compared(retriever, data, trained, stages)
    return FitReport(settings.output, retriever, lines, stages.finished, data.test_name, comparison)


def _compared(
    retriever: GenerativeRetriever, data: FitData, trained: Trained, stages: Stages
) -> SystemScores:
    """The model beside its baselines; nothing where passages of a single sentence leave nothing to hold back."""
    if not data.test:
        return SystemScores({}, {})
    return compare_systems(
        retriever,
        data.passages,
        data.test_queries,
        data.test,
        stages,
        vectors=trained.vectors,
        labelled=labelled_rows(data.train, data.queries, data.store.passage_ids),
    )


def _recipe(settings: FitOptions, data: FitData, plan: FitPlan) -> DocidRecipe:
    """The recipe for this corpus; its run writes nothing."""
    learns = len(data.train) >= LEAST_LABELLED
    return DocidRecipe(
        output=str(settings.output),
        data=DataOptions(
            corpus=shown(settings.corpus),
            judgements=str(settings.judgements or shown(settings.corpus)) if learns else None,
        ),
        mixture={"labelled": 1.0} if learns else {},
        docids=DocidOptions(
            "residual",
            {"levels": plan.levels, "codes": plan.codes, "collisions": "next", "seed": settings.seed},
            words=WordOptions(plan.words),
        ),
        model=_model(settings, plan),
        teacher=TeacherOptions(query_map_steps=QUERY_SIDE_STEPS if learns else 0),
        codebook=TrainingOptions(max_steps=0, seed=settings.seed),
        search=SearchOptions(settings.num_beams, plan_ahead=True, mode="plan"),
        seed=settings.seed,
    )


def _model(settings: FitOptions, plan: FitPlan) -> DocidModelOptions:
    return DocidModelOptions(
        name=settings.encoder,
        options={
            # A decoder that starts from codebooks is as wide as the encoder's vectors.
            "d_model": plan.dimension,
            "tie_word_embeddings": False,
            "decoder_layers": 1,
            "max_docid_tokens": plan.levels + 1,
            "max_source_tokens": 64,
            "memory_tokens": 32,
        },
    )
