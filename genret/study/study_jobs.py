"""Runs the jobs of a study, each a part of one long job: what is complete is skipped, what was killed goes on.

Knows samples, jobs and their folders; training and search are done by the recipe and the retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from genret.artefact import file_digest
from genret.config import to_mapping
from genret.corpus import PassageStore, Query, Run, read_judgements, read_passages, read_queries, write_run
from genret.errors import InputError
from genret.jobs.alone import alone
from genret.jobs.job import HERE, Advance, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import Parts, begin, fingerprint
from genret.jobs.stages import Stages
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.recipes.baseline_runs import BASELINES, Baselines, labelled_rows
from genret.recipes.docid_recipe import run_recipe
from genret.recipes.recipe_options import DocidRecipe
from genret.retrieval.retriever import search_run
from genret.study.grid import StudyJob, plan_jobs
from genret.study.samples import SamplePaths, Union, ensure_sample
from genret.study.study_options import Study
from genret.study.study_report import RUN_FILE, StudyReport, baseline_folder, read_report
from genret.vectors.embedding import passage_vectors

__all__ = ["run_study"]

ANEW = "give the study another output, or remove that folder"
DEPTH = 10


def _silent(line: str) -> None:
    """Says nothing."""


def run_study(
    study: Study,
    only: str = "*",
    announce: Callable[[str], None] = _silent,
    executor: Executor = HERE,
) -> StudyReport:
    """Run every job whose name matches the pattern `only`, and the baselines at its size.

    Returns a report of everything that is there, earlier calls' jobs included.

    Args:
        announce: receives a line as each job, and each stage of it, begins; a function that processes can be sent.
        executor: does the jobs, each a part, and the baselines of each size, a part as well.

    Raises:
        InputError: the study, its recipe or an input is wrong, or a job's folder holds one with other settings.
    """
    plan = _chosen(study, only)
    if not plan:
        raise InputError(
            f"no job is called {only!r}; names are SIZE-DOCIDS-REPRESENTATION-MODEL-SEED, such as "
            f"{next(iter(plan_jobs(study))).name}."
        )
    tasks = _tasks(plan)
    recipes = {job.name: to_mapping(recipe) for job, recipe in plan.items()}
    # A study grows by new jobs; what is finished of it is known by the jobs' own folders.
    folder = Path(study.output) / "parts" / fingerprint(recipes)
    ledger = Ledger.begin(folder, recipes, Parts(len(tasks), 1), otherwise=ANEW)
    executor.run(Job(ledger, _Tasks(study, only, announce), "studying", "jobs"))
    if not ledger.missing():
        ledger.clear()
    return read_report(study)


def _chosen(study: Study, only: str) -> dict[StudyJob, DocidRecipe]:
    return {job: recipe for job, recipe in plan_jobs(study).items() if fnmatchcase(job.name, only)}


def _tasks(plan: Mapping[StudyJob, DocidRecipe]) -> list[StudyJob | str]:
    """The parts: jobs, small corpora first, and before those of a size its name, which stands for its baselines."""
    return [task for size, jobs in groupby(plan, lambda job: job.size) for task in (size, *jobs)]


@dataclass(frozen=True)
class _Tasks:
    """What the workers do: the bytes of a part are the names and checksums of the runs that it wrote."""

    study: Study
    only: str
    announce: Callable[[str], None]

    def __call__(self) -> Work:
        study, plan = self.study, _chosen(self.study, self.only)
        tasks, jobs = _tasks(plan), list(plan)
        union, stages = Union(study.collection, study.sample_seed), Stages(self.announce)

        def work(part: int, advance: Advance) -> bytes:
            task = tasks[part]
            size = task if isinstance(task, str) else task.size
            with alone(Path(study.output) / f"sample-{size}.lock", wait=True):
                sample = ensure_sample(study, size, union)
            if isinstance(task, str):
                first = next(recipe for job, recipe in plan.items() if job.size == size)
                folders = _baselines(study, size, sample, first, stages)
            else:
                self.announce(f"{task.name} ({jobs.index(task) + 1} of {len(jobs)})")
                folders = [_job(study, task, sample, plan[task], stages)]
            advance(1)
            return "".join(f"{file_digest(one / RUN_FILE)} {one.name}\n" for one in folders).encode()

        return work


def _job(study: Study, job: StudyJob, sample: SamplePaths, recipe: DocidRecipe, stages: Stages) -> Path:
    """Do a job, or go on with it; gives its folder."""
    folder = job.folder(study)
    resume = begin(folder, to_mapping(recipe), otherwise=ANEW)
    if not (folder / RUN_FILE).is_file():
        write_run(folder / RUN_FILE, _train_and_search(recipe, sample, stages, resume))
    return folder


def _train_and_search(recipe: DocidRecipe, sample: SamplePaths, stages: Stages, resume: bool) -> Run:
    trained = run_recipe(recipe, resume=resume, stages=stages)
    queries = _queries(sample)
    with stages.stage("search"):
        retriever = trained.retriever()
        allowed = None if recipe.constraint is None else recipe.constraint.of(retriever)
        return search_run(retriever, queries, DEPTH, allowed)


def _baselines(
    study: Study, size: str, sample: SamplePaths, recipe: DocidRecipe, stages: Stages
) -> list[Path]:
    """Run the baselines, if one of them has no run yet; gives their folders."""
    folders = {name: baseline_folder(study, size, name) for name in BASELINES}
    for name, folder in folders.items():
        begin(folder, {"baseline": name}, otherwise=ANEW)
    if not all((folder / RUN_FILE).is_file() for folder in folders.values()):
        for name, run in _baselines_of(sample, recipe).ask(_queries(sample), DEPTH, stages).items():
            write_run(folders[name] / RUN_FILE, run)
    return list(folders.values())


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
