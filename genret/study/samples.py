"""Growing samples of a collection, each inside the next, each with all judged passages of the evaluated questions.

Knows passages, judgements and vectors; knows no model. First come the passages that the evaluated questions are
about, then those that a training question is about, then the rest of the collection's own passages, then added
ones, each group in random order; a sample is the beginning of that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fm_index.files import open_regular
from genret.artefact import check_folder, publish_folder
from genret.corpus import (
    Judgements,
    Passage,
    Query,
    read_judgements,
    read_passages,
    read_queries,
    write_judgements,
)
from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.formats.beir import write_passages, write_queries
from genret.errors import ArtefactError, InputError
from genret.jobs.resumable import check_same
from genret.study.study_options import Collection, Study
from genret.training.examples.material import DataOptions
from genret.vectors import read_vectors, write_vectors

__all__ = ["SamplePaths", "Union", "ensure_sample", "sample_paths"]

KIND = "study-sample"
CORPUS = "corpus.jsonl"
VERSION = 1


@dataclass(frozen=True)
class SamplePaths:
    """The files of one sample."""

    folder: Path

    @property
    def train(self) -> Path:
        """Judgements of the training questions about its passages."""
        return self.folder / "train.tsv"

    @property
    def evaluation(self) -> Path:
        """Judgements of the evaluated questions."""
        return self.folder / "evaluation.tsv"

    @property
    def vectors(self) -> Path:
        """Vectors of its passages, where the collection has any."""
        return self.folder / "vectors.npy"

    def num_passages(self) -> int:
        """How many passages it has."""
        count = check_folder(self.folder, kind=KIND, version=VERSION, verify=False).get("count")
        if type(count) is not int:
            raise ArtefactError(f"{self.folder}: damaged: it does not say how many passages it has.")
        return count

    def data_options(self, collection: Collection) -> DataOptions:
        """As a recipe names them."""
        return DataOptions(
            corpus=str(self.folder),
            judgements=str(self.train),
            evaluation=str(self.evaluation),
            passage_vectors=str(self.vectors) if collection.vectors is not None else None,
        )


def sample_paths(study: Study, size: str) -> SamplePaths:
    """Where the sample of a size lies."""
    return SamplePaths(Path(study.output) / "samples" / size)


class Union:
    """Everything a collection holds, read once when first asked for."""

    def __init__(self, collection: Collection, seed: int) -> None:
        self.collection, self.seed = collection, seed

    @cached_property
    def own(self) -> list[Passage]:
        """The passages whose questions are judged."""
        return list(
            read_passages(self.collection.corpus, CorpusOptions(skip_empty=self.collection.skip_empty))
        )

    @cached_property
    def _added(self) -> tuple[list[Passage], list[int]]:
        """Passages that are added, and their rows in the added corpus."""
        if self.collection.added is None:
            return [], []
        titles = {passage.title.strip().casefold() for passage in self.own} - {""}
        numbered = enumerate(
            read_passages(self.collection.added, CorpusOptions(skip_empty=self.collection.skip_empty))
        )
        kept = [(p, row) for row, p in numbered if p.title.strip().casefold() not in titles]
        return [passage for passage, _ in kept], [row for _, row in kept]

    @cached_property
    def passages(self) -> list[Passage]:
        """All, the collection's own first."""
        return self.own + self._added[0]

    @cached_property
    def queries(self) -> dict[str, str]:
        """query_id to text."""
        return {query.query_id: query.text for query in read_queries(self.collection.corpus)}

    @cached_property
    def train(self) -> Judgements:
        """Of the training questions."""
        return self._judgements(self.collection.judgements)

    @cached_property
    def evaluation(self) -> Judgements:
        """Of the evaluated questions."""
        judged, count = self._judgements(self.collection.evaluation), self.collection.queries
        if count is None or count >= len(judged):
            return judged
        drawn = np.random.default_rng([self.seed, 1]).permutation(len(judged))[:count]
        names = list(judged)
        return {names[place]: judged[names[place]] for place in sorted(drawn.tolist())}

    @cached_property
    def evaluation_passages(self) -> set[str]:
        """Passages that the evaluated questions are about; every sample has them."""
        return {passage_id for grades in self.evaluation.values() for passage_id in grades}

    @cached_property
    def order(self) -> npt.NDArray[np.int64]:
        """Rows of `passages` in the order in which they join the corpus, int64 [n]."""
        groups = np.full(len(self.passages), 3)
        groups[: len(self.own)] = 2
        for group, judged in ((1, self.train), (0, self.evaluation)):
            groups[self._rows_of(judged)] = group
        drawn = np.random.default_rng([self.seed, 0]).permutation(len(groups))
        return drawn[np.argsort(groups[drawn], kind="stable")]

    def rows(self, size: str, count: int | None) -> npt.NDArray[np.int64]:
        """The rows of a sample, ascending.

        Raises:
            InputError: it is too small for the judged passages, or larger than there are passages.
        """
        judged, total = len(self.evaluation_passages), len(self.order)
        if count is not None and not judged <= count <= total:
            raise InputError(
                f"sizes.{size}: {count:,} passages; expected {judged:,} at least, which the evaluated questions are "
                f"about (collection.queries lowers it), and at most all {total:,}."
            )
        return np.sort(self.order[:count])

    def vectors(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Vectors of rows of `passages`, float16 or float32 [len(rows), d]."""
        collection, own = self.collection, len(self.own)
        found = _matrix(collection.vectors, own)[rows[rows < own]]
        if collection.added_vectors is None:
            return found
        added = _matrix(collection.added_vectors, None)
        places = np.asarray(self._added[1], np.int64)
        if len(places) and places.max() >= len(added):
            raise InputError(
                f"{collection.added_vectors}: {len(added):,} rows, fewer than {collection.added} has."
            )
        return np.concatenate([found, added[places[rows[rows >= own] - own]].astype(found.dtype)])

    def _judgements(self, path: str) -> Judgements:
        known = {passage.passage_id for passage in self.own}
        return read_judgements(path, query_ids=self.queries, passage_ids=known)

    def _rows_of(self, judged: Judgements) -> list[int]:
        places = {passage.passage_id: row for row, passage in enumerate(self.own)}
        return [places[passage_id] for grades in judged.values() for passage_id in grades]


def ensure_sample(study: Study, size: str, union: Union) -> SamplePaths:
    """Write the sample of a size, unless it is there.

    Raises:
        InputError: one is there that was made with other settings, or this one cannot be made.
    """
    paths = sample_paths(study, size)
    made_from = {
        **asdict(study.collection),
        "passages": study.sizes[size].passages,
        "seed": study.sample_seed,
    }
    if paths.folder.exists():
        meta = check_folder(paths.folder, kind=KIND, version=VERSION)
        if not isinstance(meta.get("made_from"), dict) or type(meta.get("count")) is not int:
            raise ArtefactError(f"{paths.folder}: damaged: it does not say what it was made from.")
        with open_regular(paths.folder / CORPUS) as file:
            found = sum(1 for _ in file)
        if found != meta["count"]:
            raise ArtefactError(f"{paths.folder}: damaged: {found} passages, expected {meta['count']}.")
        # Samples of before the option were made without it.
        stored = {"skip_empty": False, **meta["made_from"]}
        otherwise = "give the study another output, or remove that folder"
        check_same(stored, made_from, paths.folder, otherwise=otherwise)
        return paths
    rows = union.rows(size, study.sizes[size].passages)
    meta = {"made_from": made_from, "count": len(rows)}
    with publish_folder(paths.folder, kind=KIND, version=VERSION, meta=meta) as scratch:
        _write(SamplePaths(scratch), union, rows)
    return paths


def _write(paths: SamplePaths, union: Union, rows: npt.NDArray[np.int64]) -> None:
    passages = [union.passages[row] for row in rows.tolist()]
    known = {passage.passage_id for passage in passages}
    train = {name: grades for name, grades in union.train.items() if known.issuperset(grades)}
    if not train:
        raise InputError(
            f"{union.collection.judgements}: no training question is about a sample of {len(rows):,} passages; "
            "make the smallest size larger."
        )
    write_passages(paths.folder / CORPUS, passages)
    asked: Sequence[str] = [*train, *union.evaluation]
    write_queries(paths.folder / "queries.jsonl", [Query(name, union.queries[name]) for name in asked])
    write_judgements(paths.train, train)
    write_judgements(paths.evaluation, union.evaluation)
    if union.collection.vectors is not None:
        write_vectors(paths.vectors, union.vectors(rows))


def _matrix(path: str | None, rows: int | None) -> npt.NDArray[Any]:
    vectors = read_vectors(path or "")
    if vectors.ndim != 2 or rows not in (None, len(vectors)):
        raise InputError(f"{path}: found shape {vectors.shape}, expected {rows} rows, one a passage.")
    return vectors
