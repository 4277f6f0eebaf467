"""What a study's YAML file says: a recipe, a collection, and the axes of a grid. Knows values, runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from genret.config import Count, Seed, Steps, check_bounds
from genret.errors import InputError
from genret.evaluation import DEFAULT_METRICS
from genret.evaluation.metrics import parse_metric

__all__ = ["Collection", "Size", "Study"]

# Names become parts of folder names, joined by hyphens.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Collection:
    """Passages, questions, and further passages that make the corpus larger.

    Attributes:
        corpus: BEIR folder whose questions are judged.
        judgements: of the training questions.
        evaluation: judgements of the questions that every job is evaluated on.
        queries: so many of them, drawn at random and the same at every size; None: all.
        vectors: a .npy file of unit vectors, a row a passage of `corpus`; None: each job computes its own.
        added: a second corpus; those of its passages are added whose titles `corpus` has not.
        added_vectors: a row a passage of `added`; given where `vectors` is.
        skip_empty: leave out passages of both that have neither title nor text.
    """

    corpus: str
    judgements: str
    evaluation: str
    queries: Count | None = None
    vectors: str | None = None
    added: str | None = None
    added_vectors: str | None = None
    skip_empty: bool = False

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.added_vectors is not None and self.added is None:
            raise InputError("added_vectors: there is no `added` that they could belong to.")
        if self.added is not None and (self.vectors is None) != (self.added_vectors is None):
            raise InputError("vectors, added_vectors: give both, or neither.")


@dataclass(frozen=True)
class Size:
    """One size of the corpus.

    Attributes:
        passages: how many; None: all.
        recipe: what the recipe has otherwise at this size.
    """

    passages: Steps | None = None
    recipe: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Study:
    """A grid: every size with every docid, representation, model and seed is a job.

    Each value of an axis is a part of a recipe, laid over the one that all jobs start from.

    Attributes:
        output: folder of the study.
        recipe: YAML file of that recipe.
        sample_seed: of the order in which passages join the corpus, and of the evaluated questions.
    """

    output: str
    recipe: str
    collection: Collection
    sizes: dict[str, Size]
    representations: dict[str, dict[str, Any]]
    docids: dict[str, dict[str, Any]] = field(default_factory=lambda: {"docids": {}})
    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {"model": {}})
    seeds: tuple[Seed, ...] = (0,)
    metrics: tuple[str, ...] = DEFAULT_METRICS
    sample_seed: Seed = 0

    def __post_init__(self) -> None:
        check_bounds(self)
        for name in ("sizes", "representations", "docids", "models"):
            _check_names(name, getattr(self, name))
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds: expected one or more, each once, found {list(self.seeds)}.")
        if not self.metrics:
            raise InputError("metrics: expected one or more, such as hit@10; there are none.")
        for name in self.metrics:
            parse_metric(name)


def _check_names(axis: str, names: Iterable[str]) -> None:
    listed = list(names)
    if not listed:
        raise InputError(f"{axis}: expected at least one name, found none.")
    for name in listed:
        if not NAME.fullmatch(name):
            raise InputError(
                f"{axis}: {name!r} becomes part of a folder's name; use letters, digits, _ and dots only."
            )
