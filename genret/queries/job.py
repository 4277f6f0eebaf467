"""A generation as a job in a folder: part by part, each written once, filtered and counted at the end.

Knows files and the order of the work; what is asked of the model is in `sampler`. A killed job goes on with the
first part that is missing; machines may share the parts of one folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fm_index.container import atomic_writer
from genret.config import to_mapping
from genret.corpus import PassageStore
from genret.corpus.datafile import DataFile
from genret.corpus.records import records
from genret.errors import InputError
from genret.models.backbone import Backbone
from genret.progress import progress
from genret.queries.filters import FilterOptions, PassageQuery, keep_form, round_trip
from genret.queries.report import QueryReport, make_report
from genret.queries.sampler import Sampling, sample_texts

__all__ = ["GenerateOptions", "QueryJob"]

PLAN, QUERIES, REPORT = "plan.json", "queries.jsonl", "report.json"


@dataclass(frozen=True)
class GenerateOptions:
    """What a job does.

    Attributes:
        part_size: passages of a part.
        seed: of all draws.
    """

    sampling: Sampling = field(default_factory=Sampling)
    filters: FilterOptions = field(default_factory=FilterOptions)
    part_size: int = 256
    seed: int = 0


class QueryJob:
    """The job of one folder.

    Args:
        folder: where parts, `queries.jsonl` and `report.json` go.
        passages: the corpus.
        model: names the model and its prompt; another one in the same folder is an error.

    Raises:
        InputError: the folder holds a job with other passages, another model or other sampling.
    """

    def __init__(self, folder: Path, passages: PassageStore, model: str, options: GenerateOptions) -> None:
        self.folder, self.passages, self.options = folder, passages, options
        self._check_plan(
            {
                "passages": passages.fingerprint,
                "model": model,
                "sampling": to_mapping(options.sampling),
                "part_size": options.part_size,
                "seed": options.seed,
            }
        )

    @property
    def missing(self) -> list[int]:
        """Parts that are not written yet."""
        count = -(-len(self.passages) // self.options.part_size)
        return [part for part in range(count) if not self._part(part).exists()]

    def run(self, load: Callable[[], Backbone], shard: int = 0, shards: int = 1) -> None:
        """Write the missing parts of this shard; the model is loaded if there is any."""
        mine = [part for part in self.missing if part % shards == shard]
        backbone = load() if mine else None
        with progress(len(mine) * self.options.part_size, "writing queries", "passages") as report:
            for part in mine:
                assert backbone is not None
                self._write_part(part, backbone)
                report.advance(self.options.part_size)

    def finish(self) -> QueryReport:
        """Filter what all parts hold, write `queries.jsonl` and `report.json`.

        Raises:
            InputError: a part is missing.
        """
        if self.missing:
            raise InputError(
                f"{self.folder}: {len(self.missing)} parts are missing; run the job on them first."
            )
        generated = list(self._generated())
        dropped: Counter[str] = Counter()
        formed = []
        for query, reason in keep_form(generated, self.options.filters):
            if reason:
                dropped[reason] += 1
            else:
                formed.append(query)
        found = round_trip(formed, self.passages, self.options.filters)
        kept = [query for query, again in zip(formed, found, strict=True) if again]
        if len(kept) < len(formed):
            dropped["round trip"] = len(formed) - len(kept)
        report = make_report(kept, len(generated), dropped, self.passages)
        self._write_lines(self.folder / QUERIES, kept)
        _write_json(self.folder / REPORT, report.json())
        return report

    def _write_part(self, part: int, backbone: Backbone) -> None:
        begin = part * self.options.part_size
        rows = range(begin, min(begin + self.options.part_size, len(self.passages)))
        texts = [self.passages[row].full_text for row in rows]
        found = sample_texts(backbone, texts, self.options.sampling, numbers=rows, seed=self.options.seed)
        queries = [PassageQuery(row, text) for row, drawn in zip(rows, found, strict=True) for text in drawn]
        self._write_lines(self._part(part), [query for query in queries if query.text])

    def _generated(self) -> Iterator[PassageQuery]:
        for part in range(-(-len(self.passages) // self.options.part_size)):
            for record in records(DataFile(self._part(part))):
                yield PassageQuery(self.passages.row(record.identifier("passage_id")), record.text("text"))

    def _write_lines(self, path: Path, queries: Sequence[PassageQuery]) -> None:
        with atomic_writer(path) as file:
            for query in queries:
                line = {"passage_id": self.passages.passage_ids[query.row], "text": query.text}
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def _part(self, part: int) -> Path:
        return self.folder / f"part-{part:06d}.jsonl"

    def _check_plan(self, plan: dict[str, Any]) -> None:
        path = self.folder / PLAN
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_json(path, plan)
            return
        stored = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name, value in plan.items() if stored.get(name) != value]
        if differing:
            name = differing[0]
            raise InputError(
                f"{self.folder}: holds a job with {name} = {stored.get(name)}, this one has {plan[name]}; choose "
                "another folder."
            )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_writer(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
