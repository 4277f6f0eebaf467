"""What a batch job is: which queries, by which model, in which chunks.

Knows counts and fingerprints; searches nothing. Chunks, the job's parts, are runs of consecutive queries, fixed by
their place in the input.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from fm_index.files import foreign
from genret.artefact import MANIFEST, file_digest
from genret.corpus import Question
from genret.corpus.identical import Hit, without_identical
from genret.errors import InputError, UsageError
from genret.jobs.progress import progress
from genret.jobs.resumable import Parts
from genret.retrieval.constraints import ConstraintOptions

__all__ = ["CHUNK", "BatchOptions", "BatchPlan", "make_plan", "model_fingerprint", "question_bytes"]

CHUNK = 1024
# Between the texts that make a fingerprint; no text has it.
SEPARATOR = "\0"


@dataclass(frozen=True)
class BatchOptions:
    """What is asked for.

    Attributes:
        k: passages per query.
        num_beams: beams per query; None for what the model has stored.
        chunk: queries that are searched, and appended, at a time.
        drop_identical: leave out hits with the query's own id: for queries that are themselves passages.
        constraint: what may be found; None: every passage.
        where: a condition on the fields of what may be found; None: every passage.
    """

    k: int = 10
    num_beams: int | None = None
    chunk: int = CHUNK
    drop_identical: bool = False
    constraint: ConstraintOptions | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        for name in ("k", "chunk"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}.")

    @property
    def depth(self) -> int:
        """Passages that are searched for: one more than asked for where one may be left out."""
        return self.k + self.drop_identical

    def kept(self, query_id: str, hits: Iterable[Hit]) -> list[Hit]:
        """What stays of the hits of a search at this depth."""
        return (without_identical(query_id, hits) if self.drop_identical else list(hits))[: self.k]


@dataclass(frozen=True)
class BatchPlan:
    """A job with the fingerprints of its input and its model; equal plans give equal files.

    Attributes:
        queries: how many there are.
        input: fingerprint of all ids, texts and answers, in order.
        model: fingerprint of the model folder's manifest.
        constraint: kind and options, as plain values.
        where: a condition on passages' fields.
        tag: of the run, in formats that name it; None: that of every model.
    """

    queries: int
    input: str
    model: str
    k: int
    num_beams: int | None
    chunk: int
    drop_identical: bool = False
    constraint: dict[str, Any] | None = None
    where: str | None = None
    tag: str | None = None

    @property
    def parts(self) -> Parts:
        """The chunks."""
        return Parts(self.queries, self.chunk)

    @classmethod
    def of(cls, stored: object, place: str | Path) -> BatchPlan:
        """A stored plan; one of earlier versions names a number of shards, on which nothing depends.

        Raises:
            ArtefactError: it is none.
        """
        with foreign(place, "the plan of a batch run"):
            if not isinstance(stored, dict):
                raise ValueError("it is no mapping")
            plan = cls(**{name: value for name, value in stored.items() if name != "shards"})
            least = ((plan.queries, 0), (plan.chunk, 1), (plan.k, 1))
            if not all(type(count) is int and count >= bound for count, bound in least):
                raise ValueError("a count in it is none")
            if not isinstance(plan.input, str) or not all(
                isinstance(text, str | None) for text in (plan.where, plan.tag)
            ):
                raise ValueError("its input, its condition or its tag is no text")
        return plan

    def json(self) -> dict[str, Any]:
        """As stored with the parts; what earlier versions did not know is there where it is on."""
        later = ("drop_identical", "constraint", "where", "tag")
        return {name: value for name, value in asdict(self).items() if value or name not in later}


def make_plan(
    questions: Iterable[Question], job: BatchOptions, model: str, tag: str | None = None
) -> BatchPlan:
    """Read all questions once, so that a wrong line is found before any is searched, and count them."""
    digest = xxhash.xxh3_128()
    with progress(None, "reading", "queries") as report:
        for question in questions:
            digest.update(question_bytes(question))
            report.advance()
    return BatchPlan(
        queries=report.done,
        input=digest.hexdigest(),
        model=model,
        k=job.k,
        num_beams=job.num_beams,
        chunk=job.chunk,
        drop_identical=job.drop_identical,
        constraint=None if job.constraint is None else asdict(job.constraint),
        where=job.where,
        tag=tag,
    )


def question_bytes(question: Question) -> bytes:
    """What of a question counts for the fingerprint of an input."""
    return SEPARATOR.join((question.query_id, question.text, *question.answers, "")).encode()


def model_fingerprint(folder: str | os.PathLike[str]) -> str:
    """The fingerprint of a model folder: of its manifest, which holds the checksum of every file.

    Raises:
        InputError: there is no such folder, or no manifest in it.
    """
    manifest = Path(folder) / MANIFEST
    if not manifest.is_file():
        raise InputError(f"{folder}: no {MANIFEST} there; expected a model folder.")
    return file_digest(manifest)
