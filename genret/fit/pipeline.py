"""The stages of a fit, one after the other, inside the budget.

Knows which recipe a corpus and a budget call for; the recipe's work is done by `genret.training`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import xxhash

from genret.corpus import Passage, PassageStore
from genret.corpus.split import long_sentences
from genret.errors import InputError
from genret.fit.budget import FitPlan, make_plan
from genret.fit.fit_data import FitData, read_data
from genret.fit.fit_options import FitOptions
from genret.fit.fit_report import FitReport
from genret.fit.systems import SystemScores, compare_systems
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidModelOptions, DocidOptions, DocidRecipe, TeacherOptions
from genret.recipes.steps import Held
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.search_options import SearchOptions
from genret.training.examples.material import DataOptions
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions

__all__ = ["fit"]

LEVELS, CODES = 8, 256
# Fewer passages than this for each code of a level, and codes stand for single passages.
PASSAGES_PER_CODE = 8
CHECKPOINT_EVERY = 250
# With labels as in configs/boolq.yaml, where it was chosen; without them, as chosen on BoolQ's train questions.
MAX_STEPS, MAX_STEPS_UNLABELLED = 500, 300
# Fewer labelled queries than this have not been seen to make a map of the queries better than none.
LEAST_MAPPED, QUERY_MAP_STEPS = 1000, 260


def fit(settings: FitOptions, announce: Callable[[str], None] = lambda line: None) -> FitReport:
    """Train a model that is the index of a corpus, test it beside its baselines, and write its folder.

    A fit that was interrupted goes on where it stopped when it is called again with the same settings.

    Args:
        settings: inputs and limits.
        announce: receives the plan before work begins, and a line for each stage.

    Raises:
        InputError: the inputs cannot be used, or the output exists.
        UsageError: the budget is too short for this corpus.
    """
    if settings.output.exists() and not settings.overwrite:
        raise InputError(f"{settings.output} exists already; choose another name, or pass --overwrite.")
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
    work = _work_folder(settings, data, seen, encoder)
    resume = work.exists()
    held = Held(seen, data.queries, data.train, encoder)
    trained = run_recipe(_recipe(settings, data, plan, work), held=held, resume=resume, stages=stages)
    with stages.stage("save, and load again"):
        retriever = replace(trained, passages=data.store).retriever()
        retriever.save_pretrained(settings.output, overwrite=settings.overwrite)
        retriever = GenerativeRetriever.from_pretrained(settings.output)
    comparison = SystemScores({}, {})
    if data.test:  # passages of a single sentence leave nothing to hold back
        comparison = compare_systems(
            retriever, data.passages, data.test_queries, data.test, stages, vectors=trained.vectors
        )
    shutil.rmtree(work)
    return FitReport(settings.output, lines, stages.finished, data.test_name, comparison)


def _recipe(settings: FitOptions, data: FitData, plan: FitPlan, work: Path) -> DocidRecipe:
    """The recipe for this corpus, whose run is in `work`."""
    texts = "sentences" if any(map(_has_sentence, data.passages)) else "firstp"
    mixture = {"labelled": 0.3, texts: 0.7} if data.train else {texts: 1.0}
    codes = max(2, min(CODES, len(data.store) // PASSAGES_PER_CODE))
    # A docid for each passage, so that the network can tell them apart.
    quantiser = {"levels": LEVELS, "codes": codes, "collisions": "next"}
    return DocidRecipe(
        output=str(work),
        data=DataOptions(
            corpus=str(settings.corpus),
            judgements=str(settings.judgements or settings.corpus) if data.train else None,
        ),
        mixture=mixture,
        sources={"sentences": {"limit": plan.views}} if texts == "sentences" else {"firstp": {"words": None}},
        docids=DocidOptions("residual", {**quantiser, "seed": settings.seed}),
        model=_model(settings, plan),
        teacher=TeacherOptions(
            query_map_steps=QUERY_MAP_STEPS if len(data.train) >= LEAST_MAPPED else 0,
        ),
        codebook=TrainingOptions(
            max_seconds=plan.training_seconds,
            max_steps=MAX_STEPS if data.train else MAX_STEPS_UNLABELLED,
            batch_size=128,
            save_steps=CHECKPOINT_EVERY,
            seed=settings.seed,
            optimizer=OptimizerOptions(weight_decay=0.0),
        ),
        search=SearchOptions(settings.num_beams, plan_ahead=True),
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
            "max_docid_tokens": 2 * LEVELS,
            "max_source_tokens": 64,
            "memory_tokens": 32,
            "docid_width": plan.network_width,
        },
    )


def _has_sentence(passage: Passage) -> bool:
    """Whether the source "sentences" finds anything in a passage."""
    return bool(passage.title.strip() or long_sentences(passage.text))


def _work_folder(settings: FitOptions, data: FitData, seen: PassageStore, encoder: SentenceEncoder) -> Path:
    """Where an interrupted fit's work lies, beside the output: another corpus or setting is another folder."""
    told = [_plain(settings), encoder.fingerprint, seen.fingerprint, data.train, data.test, data.queries]
    place = settings.output.absolute()
    return place.with_name(f".{place.name}.{xxhash.xxh3_64_hexdigest(json.dumps(told).encode())}.fit")


def _plain(settings: FitOptions) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
    }
