"""What a batch job is: which queries, by which model, in which chunks, over how many shards.

Knows counts and fingerprints; searches nothing. Chunks are runs of consecutive queries, fixed by their place in the
input: chunk c belongs to shard c modulo the number of shards, whoever searches it and whenever.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import xxhash

from genret.artefact import MANIFEST, file_digest
from genret.corpus import Question
from genret.errors import InputError, UsageError
from genret.jobs.progress import progress

__all__ = ["CHUNK", "Job", "Plan", "Shard", "chunks", "make_plan", "model_fingerprint"]

CHUNK = 1024
# Between the texts that make a fingerprint; no text has it.
SEPARATOR = "\0"


@dataclass(frozen=True)
class Job:
    """What is asked for.

    Attributes:
        k: passages per query.
        num_beams: beams per query; None for what the model has stored.
        chunk: queries that are searched, and appended, at a time.
    """

    k: int = 10
    num_beams: int | None = None
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        for name in ("k", "chunk"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}.")


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count`."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UsageError(
                f"shard {self.index}/{self.count}: expected I/N with I from 0 to N-1, such as 0/4."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`I/N`.

        Raises:
            UsageError: the text is not of this form.
        """
        index, _, count = text.partition("/")
        if not (index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
            raise UsageError(f"shard {text!r}: expected I/N with I from 0 to N-1, such as 0/4.")
        return cls(int(index), int(count))

    @classmethod
    def of_process(cls, machine: Shard) -> Shard:
        """Under `torchrun`, this process's part of the machine's part; elsewhere the machine's."""
        rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        return cls(machine.index * processes + rank, machine.count * processes)


@dataclass(frozen=True)
class Plan:
    """A job with the fingerprints of its input and its model; equal plans give equal files.

    Attributes:
        queries: how many there are.
        input: fingerprint of all ids, texts and answers, in order.
        model: fingerprint of the model folder's manifest.
        shards: how many parts there are.
    """

    queries: int
    input: str
    model: str
    k: int
    num_beams: int | None
    chunk: int
    shards: int

    @property
    def num_chunks(self) -> int:
        """Chunks of all shards."""
        return -(-self.queries // self.chunk)

    def chunks_of(self, shard: int) -> range:
        """The numbers of a shard's chunks."""
        return range(shard, self.num_chunks, self.shards)

    def size(self, chunk: int) -> int:
        """Queries of a chunk; the last may be shorter."""
        return min(self.chunk, self.queries - chunk * self.chunk)

    def json(self) -> dict[str, Any]:
        """As stored beside the parts."""
        return asdict(self)

    def check_equal(self, stored: object, place: Path) -> None:
        """Refuse to go on with parts of another plan.

        Raises:
            InputError: `stored` differs; the message names in what.
        """
        if stored == self.json():
            return
        known = stored if isinstance(stored, dict) else {}
        mine = self.json()
        different = [name for name in mine if mine[name] != known.get(name)]
        found = ", ".join(f"{name} was {known.get(name)!r} and is {mine[name]!r}" for name in different)
        raise InputError(
            f"{place}: was begun with another job ({found}); go on with that one, or pass --overwrite to begin anew."
        )


def make_plan(questions: Iterable[Question], job: Job, model: str, shards: int) -> Plan:
    """Read all questions once, so that a wrong line is found before any is searched, and count them."""
    digest = xxhash.xxh3_128()
    with progress(None, "reading", "queries") as report:
        for question in questions:
            texts = (question.query_id, question.text, *question.answers, "")
            digest.update(SEPARATOR.join(texts).encode())
            report.advance()
    return Plan(report.done, digest.hexdigest(), model, job.k, job.num_beams, job.chunk, shards)


def model_fingerprint(folder: str | os.PathLike[str]) -> str:
    """The fingerprint of a model folder: of its manifest, which holds the checksum of every file.

    Raises:
        InputError: there is no such folder, or no manifest in it.
    """
    manifest = Path(folder) / MANIFEST
    if not manifest.is_file():
        raise InputError(f"{folder}: no {MANIFEST} there; expected a model folder.")
    return file_digest(manifest)


def chunks(questions: Iterable[Question], plan: Plan, wanted: range) -> Iterator[list[Question]]:
    """The questions of the chunks `wanted`, chunk by chunk; the others are passed over."""
    stream = iter(questions)
    for number in range(wanted[-1] + 1 if wanted else 0):
        chunk = list(islice(stream, plan.size(number)))
        if number in wanted:
            yield chunk
