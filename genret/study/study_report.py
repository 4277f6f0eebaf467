"""What the finished jobs of a study found: one table, one figure. Knows runs and judgements only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from genret.corpus import read_judgements, read_run
from genret.errors import InputError
from genret.evaluation import Evaluation, ResultTable, evaluate, interval, mean_of_runs, result_table
from genret.recipes.baseline_runs import BASELINES
from genret.study.grid import StudyJob, jobs_of
from genret.study.growth_figure import Point, draw_growth
from genret.study.samples import sample_paths
from genret.study.study_options import Study

__all__ = ["RUN_FILE", "Cell", "StudyReport", "baseline_folder", "read_report"]

RUN_FILE = "evaluation.run"


class Cell(NamedTuple):
    """A system at a size.

    Attributes:
        passages: in the corpus.
        evaluations: one a seed.
    """

    system: str
    size: str
    passages: int
    evaluations: list[Evaluation]

    @property
    def mean(self) -> Evaluation:
        """Each query's mean over the seeds."""
        return mean_of_runs(self.evaluations)


@dataclass(frozen=True)
class StudyReport:
    """Every system at every size that has a finished run, baselines first; and how many jobs have none."""

    cells: list[Cell]
    missing: int

    def table(self) -> ResultTable:
        """A row for each cell; intervals are over queries, of the mean over seeds."""
        rows = {}
        for cell in self.cells:
            seeds = f", {len(cell.evaluations)} seeds" if len(cell.evaluations) > 1 else ""
            rows[f"{cell.passages:,} passages: {cell.system}{seeds}"] = cell.mean
        return result_table(rows)

    def draw(self, metric: str, path: str | os.PathLike[str]) -> None:
        """The metric against the number of passages: a line for each system, with 95 % intervals.

        Raises:
            UsageError: matplotlib is not installed.
            InputError: it cannot write this kind of file.
        """
        systems: dict[str, list[Point]] = {}
        for cell in self.cells:
            found = interval(cell.mean.column(metric))
            systems.setdefault(cell.system, []).append(
                Point(cell.passages, found.mean, found.low, found.high)
            )
        draw_growth(systems, metric, path)


def read_report(study: Study) -> StudyReport:
    """Score every finished run of a study.

    Raises:
        InputError: nothing is finished.
    """
    jobs = list(jobs_of(study))
    cells = [cell for size in study.sizes for cell in _cells(study, size, jobs)]
    if not cells:
        raise InputError(f"{study.output}: no job of this study is finished yet.")
    return StudyReport(cells, sum(not (job.folder(study) / RUN_FILE).is_file() for job in jobs))


def baseline_folder(study: Study, size: str, name: str) -> Path:
    """Where the run of a baseline lies."""
    return Path(study.output) / "jobs" / f"{size}-{name.replace(', ', '-')}"


def _cells(study: Study, size: str, jobs: list[StudyJob]) -> Iterator[Cell]:
    folders = {name: [baseline_folder(study, size, name)] for name in BASELINES}
    for job in jobs:
        if job.size == size:
            folders.setdefault(_system(study, job), []).append(job.folder(study))
    sample = sample_paths(study, size)
    for system, places in folders.items():
        runs = [place / RUN_FILE for place in places if (place / RUN_FILE).is_file()]
        if runs:
            judged = read_judgements(sample.evaluation)
            found = [evaluate(read_run(run), judged, study.metrics) for run in runs]
            yield Cell(system, size, sample.num_passages(), found)


def _system(study: Study, job: StudyJob) -> str:
    """What tells a job from others of its size; an axis with one value goes without saying."""
    told = {job.docids: study.docids, job.representation: study.representations, job.model: study.models}
    return ", ".join(name for name, axis in told.items() if len(axis) > 1) or job.representation
