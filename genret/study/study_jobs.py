"""Runs the jobs of a study, one after the other: what is complete is skipped, what was killed goes on.

Knows samples, jobs and their folders; training and search are done by the recipe and the retriever.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from genret.config import to_mapping
from genret.corpus import PassageStore, Query, Run, read_judgements, read_passages, read_queries, write_run
from genret.errors import InputError
from genret.jobs.resumable import begin
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import BASELINES, Baselines, labelled_rows
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.retriever import search_run
from genret.study.grid import plan_jobs
from genret.study.samples import SamplePaths, Union, ensure_sample
from genret.study.study_options import Study
from genret.study.study_report import RUN_FILE, StudyReport, baseline_folder, read_report
from genret.vectors.embedding import passage_vectors

__all__ = ["run_study"]

ANEW = "give the study another output, or remove that folder"
DEPTH = 10


def run_study(
    study: Study, only: str = "*", announce: Callable[[str], None] = lambda line: None
) -> StudyReport:
    """Run every job whose name matches the pattern `only`, and the baselines at its size.

    Returns a report of everything that is there, earlier calls' jobs included.

    Args:
        announce: receives a line as each job, and each stage of it, begins.

    Raises:
        InputError: the study, its recipe or an input is wrong, or a job's folder holds one with other settings.
    """
    plan = {job: recipe for job, recipe in plan_jobs(study).items() if fnmatchcase(job.name, only)}
    if not plan:
        raise InputError(
            f"no job is called {only!r}; names are SIZE-DOCIDS-REPRESENTATION-MODEL-SEED, such as "
            f"{next(iter(plan_jobs(study))).name}."
        )
    union, stages = Union(study.collection, study.sample_seed), Stages(announce)
    for number, (job, recipe) in enumerate(plan.items(), start=1):
        announce(f"{job.name} ({number} of {len(plan)})")
        sample = ensure_sample(study, job.size, union)
        _baselines(study, job.size, sample, recipe, stages)
        folder = job.folder(study)
        resume = begin(folder, to_mapping(recipe), otherwise=ANEW)
        if not (folder / RUN_FILE).is_file():
            write_run(folder / RUN_FILE, _train_and_search(recipe, sample, stages, resume))
    return read_report(study)


def _train_and_search(recipe: DocidRecipe, sample: SamplePaths, stages: Stages, resume: bool) -> Run:
    trained = run_recipe(recipe, resume=resume, stages=stages)
    queries = _queries(sample)
    with stages.stage("search"):
        retriever = trained.retriever()
        allowed = None if recipe.constraint is None else recipe.constraint.of(retriever)
        return search_run(retriever, queries, DEPTH, allowed)


def _baselines(study: Study, size: str, sample: SamplePaths, recipe: DocidRecipe, stages: Stages) -> None:
    """Run the baselines, if one of them has no run yet."""
    folders = {name: baseline_folder(study, size, name) for name in BASELINES}
    for name, folder in folders.items():
        begin(folder, {"baseline": name}, otherwise=ANEW)
    if all((folder / RUN_FILE).is_file() for folder in folders.values()):
        return
    for name, run in _baselines_of(sample, recipe).ask(_queries(sample), DEPTH, stages).items():
        write_run(folders[name] / RUN_FILE, run)


def _baselines_of(sample: SamplePaths, recipe: DocidRecipe) -> Baselines:
    """With the frozen encoder of the recipe, or the packaged one where its model has none."""
    encoder = SentenceEncoder.load(recipe.model.name if recipe.model.kind == "frozen-encoder" else None)
    passages = PassageStore.build(read_passages(sample.folder))
    texts = {query.query_id: query.text for query in read_queries(sample.folder)}
    return Baselines(
        passages,
        passage_vectors(recipe.data.passage_vectors, passages, encoder),
        encoder,
        labelled_rows(read_judgements(sample.train), texts, passages.passage_ids),
    )


def _queries(sample: SamplePaths) -> list[Query]:
    judged = read_judgements(sample.evaluation)
    return [query for query in read_queries(sample.folder) if query.query_id in judged]
