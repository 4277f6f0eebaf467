"""Synthetic queries for every passage of a corpus: written part by part, filtered and counted at the end.

Knows passages and what becomes of their queries; how the parts are written is in `parts`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from genret.config import Count, Seed, check_bounds
from genret.corpus import PassageStore
from genret.corpus.shared_store import SharedStore
from genret.evaluation import FullTexts
from genret.jobs.storage import Place
from genret.queries.filters import FilterOptions, PassageQuery, keep_form, round_trip
from genret.queries.parts import Sources, TextJob, write_json
from genret.queries.query_report import QueryReport, make_report
from genret.queries.sampler import Sampling

__all__ = ["GenerateOptions", "QueryJob"]

QUERIES, REPORT, PASSAGES = "queries.jsonl", "report.json", "passages.bin"


@dataclass(frozen=True)
class GenerateOptions:
    """What a job does.

    Attributes:
        part_size: passages of a part.
        seed: of all draws.
    """

    sampling: Sampling = field(default_factory=Sampling)
    filters: FilterOptions = field(default_factory=FilterOptions)
    part_size: Count = 256
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_bounds(self)


class QueryJob(TextJob):
    """The job of one folder.

    Args:
        folder: where `queries.jsonl` and `report.json` go.
        passages: the corpus.
        model: names the model and its prompt; another one in the same folder is an error.
        place: of the parts, see `TextJob`.

    Raises:
        InputError: the folder holds a job with other passages, another model or other sampling.
    """

    result = QUERIES
    id_field, doing, unit = "passage_id", "writing queries", "passages"

    def __init__(
        self,
        folder: Path,
        passages: PassageStore,
        model: str,
        options: GenerateOptions,
        place: Place | None = None,
    ) -> None:
        self._shared = SharedStore(passages, folder if place is None else place, PASSAGES)
        super().__init__(
            folder,
            partial(_sources, self._shared),
            {"passages": passages.fingerprint, "model": model},
            sampling=options.sampling,
            part_size=options.part_size,
            seed=options.seed,
            place=place,
        )
        self.passages, self.filters = passages, options.filters

    def finish(self) -> QueryReport:
        """Filter what all parts hold, write `queries.jsonl` and `report.json`.

        Raises:
            InputError: a part is missing.
        """
        generated = [PassageQuery(self.passages.row(passage_id), text) for passage_id, text in self.texts()]
        dropped: Counter[str] = Counter()
        formed = []
        for query, reason in keep_form(generated, self.filters):
            if reason:
                dropped[reason] += 1
            else:
                formed.append(query)
        found = round_trip(formed, self.passages, self.filters)
        kept = [query for query, again in zip(formed, found, strict=True) if again]
        if len(kept) < len(formed):
            dropped["round trip"] = len(formed) - len(kept)
        report = make_report(kept, len(generated), dropped, self.passages)
        self.write_texts(self.folder / QUERIES, ((self.ids[query.row], query.text) for query in kept))
        write_json(self.folder / REPORT, report.json())
        self._shared.remove()
        self.close()
        return report


def _sources(corpus: SharedStore) -> Sources:
    return Sources(corpus().passage_ids, FullTexts(corpus()))
