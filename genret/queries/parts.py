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

import xxhash

from fm_index.files import atomic_writer, foreign, open_regular, strict_json
from genret.config import to_mapping
from genret.errors import InputError
from genret.jobs.progress import progress
from genret.jobs.resumable import WHOLE, Parts, Shard, begin
from genret.models.backbone import Backbone
from genret.queries.sampler import Sampling, sample_texts

__all__ = ["TextJob", "write_json"]

CHECKSUM = "xxh3_128"


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
        self.sampling, self.seed = sampling, seed
        self.parts = Parts(len(ids), part_size)
        drawn = {"sampling": to_mapping(sampling), "part_size": part_size, "seed": seed}
        begin(folder, {**plan, **drawn}, otherwise="choose another folder")

    @property
    def missing(self) -> list[int]:
        """Parts that are not written yet."""
        return [part for part in range(len(self.parts)) if not self._path(part).exists()]

    def run(self, load: Callable[[], Backbone], shard: Shard = WHOLE) -> None:
        """Write the missing parts of this shard; the model is loaded if there is any."""
        mine = sorted(set(self.missing) & set(self.parts.of(shard)))
        backbone = load() if mine else None
        with progress(sum(len(self.parts.rows(part)) for part in mine), self.doing, self.unit) as report:
            for part in mine:
                assert backbone is not None
                self._write_part(part, backbone)
                report.advance(len(self.parts.rows(part)))

    def texts(self) -> list[tuple[str, str]]:
        """The id of a source and a text for it, of all texts that are not empty.

        Raises:
            InputError: a part is missing. ArtefactError: one is damaged; removed, it is written again.
        """
        if self.missing:
            raise InputError(
                f"{self.folder}: {len(self.missing)} parts are missing; run the job on them first."
            )
        return [text for part in range(len(self.parts)) for text in self._part(part)]

    def write_texts(self, path: Path, texts: Iterable[tuple[str, str]]) -> None:
        """Ids and texts as JSON lines."""
        with atomic_writer(path) as file:
            file.writelines(map(self._line, texts))

    def _line(self, text: tuple[str, str]) -> bytes:
        return json.dumps({self.id_field: text[0], "text": text[1]}, ensure_ascii=False).encode() + b"\n"

    def _write_part(self, part: int, backbone: Backbone) -> None:
        rows = self.parts.rows(part)
        read = [self.sources[row] for row in rows]
        found = sample_texts(backbone, read, self.sampling, numbers=rows, seed=self.seed)
        drawn = ((self.ids[row], text) for row, texts in zip(rows, found, strict=True) for text in texts)
        self.write_part(part, (one for one in drawn if one[1]))

    def write_part(self, part: int, texts: Iterable[tuple[str, str]]) -> None:
        """A part's file: its texts, and a last line with their checksum."""
        data = b"".join(map(self._line, texts))
        with atomic_writer(self._path(part)) as file:
            file.write(data + json.dumps({CHECKSUM: xxhash.xxh3_128_hexdigest(data)}).encode() + b"\n")

    def _part(self, part: int) -> list[tuple[str, str]]:
        """The texts of a part. Those that versions before the checksum wrote, and which hold a text, have none."""
        path, known = self._path(part), {self.ids[row] for row in self.parts.rows(part)}
        with foreign(path, "a part of a job"), open_regular(path) as file:
            *lines, last = file.read().splitlines(keepends=True)
            stored = strict_json(last)
            if CHECKSUM not in stored:
                lines.append(last)
            elif stored[CHECKSUM] != xxhash.xxh3_128_hexdigest(b"".join(lines)):
                raise ValueError("its checksum does not match")
            found = [(one[self.id_field], one["text"]) for one in map(strict_json, lines)]
            if not all(identifier in known and isinstance(text, str) and text for identifier, text in found):
                raise ValueError("it holds texts of other parts")
        return found

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.jsonl"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values, atomically."""
    with atomic_writer(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
