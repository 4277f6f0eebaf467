"""Texts that a model writes for numbered sources, as a job in a folder: part by part, each written once.

Knows the order of the work; what is asked of the model is in `sampler`, and what the texts are good for is the
business of the jobs that inherit from this one. A killed job goes on with the first part that is missing; machines
may share the parts of one folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from fm_index.files import atomic_writer, foreign, strict_json
from genret.config import to_mapping
from genret.errors import InputError
from genret.jobs.job import HERE, Executor, Job, Work
from genret.jobs.ledger import Ledger
from genret.jobs.resumable import PLAN, Parts
from genret.jobs.storage import Place, storage_of
from genret.models.backbone import Backbone
from genret.queries.sampler import Sampling, sample_texts

__all__ = ["Sources", "TextJob", "write_json"]


class Sources(NamedTuple):
    """What the model reads, as texts, and their ids, in one order."""

    ids: Sequence[str]
    texts: Sequence[str]


class TextJob:
    """The job of one folder; a class of jobs names its sources.

    Args:
        folder: where results go.
        place: of the parts until all are there, a folder or a URL; None: the parts are in `folder`, and stay.
        sources: gives what the model reads; a worker in a process of its own asks there.
        plan: what the texts depend on beside sampling, part size and seed; another one in the same folder is an error.
        part_size: sources of a part.
        seed: of all draws.

    Raises:
        InputError: the folder is a file, or a job with another plan was begun; or its results are there and its parts gone.
    """

    # The first of the results; the field of a source's id in the job's files, and what is being done to which sources.
    result: ClassVar[str]
    id_field: ClassVar[str]
    doing: ClassVar[str]
    unit: ClassVar[str]

    def __init__(
        self,
        folder: Path,
        sources: Callable[[], Sources],
        plan: Mapping[str, Any],
        *,
        sampling: Sampling,
        part_size: int,
        seed: int,
        place: Place | None = None,
    ) -> None:
        self.folder, self.sources, self.place = folder, sources, place
        self._check_not_finished()
        self.sampling, self.seed = sampling, seed
        self.ids = sources().ids
        drawn = {"sampling": to_mapping(sampling), "part_size": part_size, "seed": seed}
        parts = Parts(len(self.ids), part_size)
        where = folder if place is None else place
        self.ledger = Ledger.begin(where, {**plan, **drawn}, parts, otherwise="choose another folder")

    def _check_not_finished(self) -> None:
        done = self.folder / self.result
        if self.place is not None and done.exists() and PLAN not in storage_of(self.place).names():
            raise InputError(f"{done} exists already; choose another folder.")

    @property
    def missing(self) -> list[int]:
        """Parts that are not written yet."""
        return self.ledger.missing()

    def run(self, load: Callable[[], Backbone], executor: Executor = HERE) -> None:
        """Write the missing parts of an executor's share; the model is loaded where there are any."""
        writer = _Writer(load, self.sources, self.sampling, self.seed, self.ledger.parts, self.id_field)
        executor.run(Job(self.ledger, writer, self.doing, self.unit))

    def texts(self) -> list[tuple[str, str]]:
        """The id of a source and a text for it, of all texts that are not empty.

        Raises:
            InputError: a part is missing. ArtefactError: one is damaged; removed, it is written again.
        """
        return [text for part, data in enumerate(self.ledger) for text in self._texts(part, data)]

    def close(self) -> None:
        """The results are written: parts that lie elsewhere go."""
        if self.place is not None:
            self.ledger.clear()

    def write_texts(self, path: Path, texts: Iterable[tuple[str, str]]) -> None:
        """Ids and texts as JSON lines."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(path) as file:
            file.writelines(_line(self.id_field, text) for text in texts)

    def _texts(self, part: int, data: bytes) -> list[tuple[str, str]]:
        known = {self.ids[row] for row in self.ledger.parts.rows(part)}
        with foreign(self.ledger.where(part), "a part of a job"):
            found = [(one[self.id_field], one["text"]) for one in map(strict_json, data.splitlines())]
            if not all(identifier in known and isinstance(text, str) and text for identifier, text in found):
                raise ValueError("it holds texts of other parts")
        return found


@dataclass(frozen=True)
class _Writer:
    """What a job's workers do."""

    load: Callable[[], Backbone]
    sources: Callable[[], Sources]
    sampling: Sampling
    seed: int
    parts: Parts
    id_field: str

    def __call__(self) -> Work:
        backbone, sources = self.load(), self.sources()

        def work(part: int, advance: Callable[[int], None]) -> bytes:
            rows = self.parts.rows(part)
            read = [sources.texts[row] for row in rows]
            found = sample_texts(backbone, read, self.sampling, numbers=rows, seed=self.seed)
            advance(len(rows))
            drawn = [
                (sources.ids[row], text) for row, texts in zip(rows, found, strict=True) for text in texts
            ]
            return b"".join(_line(self.id_field, one) for one in drawn if one[1])

        return work


def _line(id_field: str, text: tuple[str, str]) -> bytes:
    return json.dumps({id_field: text[0], "text": text[1]}, ensure_ascii=False).encode() + b"\n"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values, atomically."""
    with atomic_writer(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
