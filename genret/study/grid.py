"""The jobs of a study and the recipe of each. Knows configurations; reads no data and trains nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from genret.config import from_mapping, read_yaml
from genret.errors import InputError
from genret.recipes.recipe_options import DocidRecipe
from genret.study.samples import sample_paths
from genret.study.study_options import Study

__all__ = ["StudyJob", "jobs_of", "plan_jobs", "recipe_of"]

# What a job's place and sample decide.
OWN = ("output", "data", "seed")


class StudyJob(NamedTuple):
    """One cell of the grid."""

    size: str
    docids: str
    representation: str
    model: str
    seed: int

    @property
    def name(self) -> str:
        """Its folder's name."""
        return "-".join(map(str, self))

    def folder(self, study: Study) -> Path:
        """Where its run lies."""
        return Path(study.output) / "jobs" / self.name


def jobs_of(study: Study) -> Iterator[StudyJob]:
    """All jobs, small corpora first."""
    axes = (study.sizes, study.docids, study.representations, study.models, study.seeds)
    return (StudyJob(*cell) for cell in product(*axes))


def plan_jobs(study: Study) -> dict[StudyJob, DocidRecipe]:
    """Every job with its recipe, so that a wrong one is found before anything runs.

    Raises:
        InputError: a recipe has an unknown key, a wrong value, or sets what its place in the study decides.
    """
    base = read_yaml(study.recipe)
    return {job: recipe_of(study, job, base) for job in jobs_of(study)}


def recipe_of(study: Study, job: StudyJob, base: Mapping[str, Any]) -> DocidRecipe:
    """The recipe of a job: `base`, then what size, docids, representation and model have otherwise.

    The keys of a section replace those of the section before, one by one; a mixture, whose keys are names, is
    replaced whole, and its sources with it.
    """
    content = {key: value for key, value in base.items() if key not in OWN}
    parts = {
        f"sizes.{job.size}": study.sizes[job.size].recipe,
        f"docids.{job.docids}": study.docids[job.docids],
        f"representations.{job.representation}": study.representations[job.representation],
        f"models.{job.model}": study.models[job.model],
    }
    for where, part in parts.items():
        if "mixture" in part:
            content["sources"] = {}
        for key, value in part.items():
            if key in OWN:
                raise InputError(f"{where}: {key} is decided by a job's place in the study; take it out.")
            content[key] = _over(key, content.get(key), value)
    content["output"] = str(job.folder(study))
    content["data"] = dataclasses.asdict(sample_paths(study, job.size).data_options(study.collection))
    return from_mapping(DocidRecipe, content, f"{study.recipe}, job {job.name}").with_seed(job.seed)


def _over(key: str, before: Any, value: Any) -> Any:
    sections = isinstance(before, Mapping) and isinstance(value, Mapping)
    return {**before, **value} if sections and key != "mixture" else value
