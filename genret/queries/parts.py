"""Texts that a model writes for numbered sources, as a job in a folder: part by part, each written once.

Knows files and the order of the work; what is asked of the model is in `sampler`, and what the texts are good for is
the business of the jobs that inherit from this one. A killed job goes on with the first part that is missing;
machines may share the parts of one folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from fm_index.container import atomic_writer
from genret.config import to_mapping
from genret.corpus.formats.datafile import DataFile
from genret.corpus.formats.records import records
from genret.errors import InputError
from genret.jobs.progress import progress
from genret.models.backbone import Backbone
from genret.queries.sampler import Sampling, sample_texts

__all__ = ["TextJob", "write_json"]

PLAN = "plan.json"


class TextJob:
    """The job of one folder; a class of jobs names its sources.

    Args:
        folder: where parts and results go.
        ids: of the sources, in their order.
        sources: what the model reads, as texts.
        plan: what the texts depend on beside sampling, part size and seed; another one in the same folder is an error.
        part_size: sources of a part.
        seed: of all draws.

    Raises:
        InputError: the folder is a file, or holds a job with another plan.
    """

    # The field of a source's id in the job's files, and what is being done to which sources.
    id_field: ClassVar[str]
    doing: ClassVar[str]
    unit: ClassVar[str]

    def __init__(
        self,
        folder: Path,
        ids: Sequence[str],
        sources: Sequence[str],
        plan: Mapping[str, Any],
        *,
        sampling: Sampling,
        part_size: int,
        seed: int,
    ) -> None:
        self.folder, self.ids, self.sources = folder, ids, sources
        self.sampling, self.part_size, self.seed = sampling, part_size, seed
        drawn = {"sampling": to_mapping(sampling), "part_size": part_size, "seed": seed}
        self._check_plan({**plan, **drawn})

    @property
    def missing(self) -> list[int]:
        """Parts that are not written yet."""
        return [part for part in range(self._count) if not self._path(part).exists()]

    def run(self, load: Callable[[], Backbone], shard: int = 0, shards: int = 1) -> None:
        """Write the missing parts of this shard; the model is loaded if there is any."""
        mine = [part for part in self.missing if part % shards == shard]
        backbone = load() if mine else None
        with progress(sum(len(self._rows(part)) for part in mine), self.doing, self.unit) as report:
            for part in mine:
                assert backbone is not None
                self._write_part(part, backbone)
                report.advance(len(self._rows(part)))

    def texts(self) -> list[tuple[str, str]]:
        """The id of a source and a text for it, of all texts that are not empty.

        Raises:
            InputError: a part is missing.
        """
        if self.missing:
            raise InputError(
                f"{self.folder}: {len(self.missing)} parts are missing; run the job on them first."
            )
        return [
            (record.identifier(self.id_field), record.text("text"))
            for part in range(self._count)
            for record in records(DataFile(self._path(part)))
        ]

    def write_texts(self, path: Path, texts: Iterable[tuple[str, str]]) -> None:
        """Ids and texts as JSON lines."""
        with atomic_writer(path) as file:
            for identifier, text in texts:
                line = {self.id_field: identifier, "text": text}
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _write_part(self, part: int, backbone: Backbone) -> None:
        rows = self._rows(part)
        read = [self.sources[row] for row in rows]
        found = sample_texts(backbone, read, self.sampling, numbers=rows, seed=self.seed)
        drawn = ((self.ids[row], text) for row, texts in zip(rows, found, strict=True) for text in texts)
        self.write_texts(self._path(part), (one for one in drawn if one[1]))

    def _rows(self, part: int) -> range:
        begin = part * self.part_size
        return range(begin, min(begin + self.part_size, len(self.ids)))

    @property
    def _count(self) -> int:
        return -(-len(self.ids) // self.part_size)

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.jsonl"

    def _check_plan(self, plan: dict[str, Any]) -> None:
        path = self.folder / PLAN
        if self.folder.is_file():
            raise InputError(f"{self.folder} is a file; name a folder for the job.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_json(path, plan)
            return
        stored = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name, value in plan.items() if stored.get(name) != value]
        if differing:
            name = differing[0]
            raise InputError(
                f"{self.folder}: holds a job with {name} = {stored.get(name)}, this one has {plan[name]}; choose "
                "another folder."
            )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values, atomically."""
    with atomic_writer(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
