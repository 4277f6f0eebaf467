"""Imagined answers as queries: what a model writes for a query finds the passages that look like an answer to it.

Knows queries, judgements and BM25; how the parts are written is in `parts`. A text of the model is never taken for
true, and no passage of the corpus: it is only searched with. Hypothetical documents: Gao et al., "Precise Zero-Shot
Dense Retrieval without Relevance Labels" (HyDE), ACL 2023, section 3; there a dense encoder reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import xxhash

from genret.config import Count, Seed, check_bounds
from genret.corpus import Judgements, PassageStore, Query, Run, write_run
from genret.errors import InputError
from genret.evaluation import BM25_TUNED, bm25_run
from genret.jobs.storage import Place
from genret.queries.parts import Sources, TextJob
from genret.queries.sampler import Sampling

__all__ = ["ImagineJob", "ImagineOptions", "ImaginedReport", "look_alikes"]

IMAGINED, RUN = "imagined.jsonl", "negatives.run"


@dataclass(frozen=True)
class ImagineOptions:
    """What a job does.

    Attributes:
        sampling: of one text a query; at HyDE's temperature.
        k: passages for each query.
        part_size: queries of a part.
        seed: of all draws.
    """

    sampling: Sampling = field(default_factory=lambda: Sampling(per_source=1, temperature=0.7, max_tokens=64))
    k: Count = 100
    part_size: Count = 256
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.sampling.per_source != 1:
            raise InputError(
                f"sampling.per_source: a query has one imagined text, found {self.sampling.per_source}."
            )


@dataclass(frozen=True)
class ImaginedReport:
    """What came out.

    Attributes:
        queries: that were asked.
        imagined: queries that the model wrote something for.
        found: passages in the run, of all queries.
    """

    queries: int
    imagined: int
    found: int

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"{self.imagined:,} of {self.queries:,} queries have an imagined passage",
            f"{self.found / max(self.queries, 1):.1f} passages for a query",
        ]


class ImagineJob(TextJob):
    """The job of one folder.

    Args:
        folder: where `imagined.jsonl` and `negatives.run` go.
        model: names the model and its prompt; another one in the same folder is an error.
        place: of the parts, see `TextJob`.

    Raises:
        InputError: the folder holds a job with other queries, another model or other sampling.
    """

    result = IMAGINED
    id_field, doing, unit = "query_id", "imagining passages", "queries"

    def __init__(
        self,
        folder: Path,
        queries: Sequence[Query],
        model: str,
        options: ImagineOptions,
        place: Place | None = None,
    ) -> None:
        super().__init__(
            folder,
            partial(_sources, queries),
            {"queries": _fingerprint(queries), "model": model},
            sampling=options.sampling,
            part_size=options.part_size,
            seed=options.seed,
            place=place,
        )
        self.k = options.k

    def finish(self, passages: PassageStore, judgements: Judgements) -> ImaginedReport:
        """Search with what all parts hold; write `imagined.jsonl` and `negatives.run`.

        Raises:
            InputError: a part is missing.
        """
        texts = dict(self.texts())
        self.write_texts(self.folder / IMAGINED, texts.items())
        run = look_alikes({one: texts.get(one, "") for one in self.ids}, passages, judgements, self.k)
        write_run(self.folder / RUN, run, tag="imagined")
        self.close()
        return ImaginedReport(len(self.ids), len(texts), sum(map(len, run.values())))


def look_alikes(texts: Mapping[str, str], passages: PassageStore, judgements: Judgements, k: int) -> Run:
    """The `k` best passages of each query's text by BM25 (tuned), those that are relevant to the query left out."""
    right = {
        query_id: {one for one, grade in judgements.get(query_id, {}).items() if grade > 0}
        for query_id in texts
    }
    deepest = k + max(map(len, right.values()), default=0)
    asked = [Query(query_id, text) for query_id, text in texts.items()]
    run = bm25_run(passages, asked, deepest, BM25_TUNED)
    return {
        query_id: [hit for hit in hits if hit[0] not in right[query_id]][:k] for query_id, hits in run.items()
    }


def _sources(queries: Sequence[Query]) -> Sources:
    return Sources([query.query_id for query in queries], [query.text for query in queries])


def _fingerprint(queries: Sequence[Query]) -> str:
    digest = xxhash.xxh3_128()
    for query in queries:
        digest.update(json.dumps(query).encode())
    return digest.hexdigest()
