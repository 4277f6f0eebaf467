"""What every table of results has beside a model: BM25, dense retrieval, both together, and what labels make of them.

Knows passages, their vectors and an encoder; knows no docid and no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genret.corpus import Judgements, Passage, Query, Run
from genret.evaluation import BM25, BM25_PLAIN, BM25_TUNED, hybrid_run, nearest_run
from genret.jobs.cache_folder import default_cache
from genret.jobs.stages import Stages
from genret.retrieval.fusion import FUSED_DEPTH, fuse_runs
from genret.training.linear_index.query_side import fit_query_side, mapped
from genret.vectors.embedding import Encoder, embed_texts

__all__ = ["BASELINES", "Baselines", "labelled_rows"]

WORDS, WORDS_TUNED = "BM25", "BM25, tuned"
DENSE, DENSE_TUNED = "dense", "dense, fine-tuned"
HYBRID, HYBRID_TUNED = "hybrid", "hybrid, fine-tuned"
RANKS = "RRF"
# As they stand in a table; the fine-tuned ones where there are labels.
BASELINES = (WORDS, WORDS_TUNED, DENSE, HYBRID, RANKS, DENSE_TUNED, HYBRID_TUNED)
QUERY_MAP_STEPS = 260

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Baselines:
    """All baselines on the same passages; what several questions need is made once.

    Attributes:
        passages: what is searched.
        vectors: of the passages by `encoder`, unit vectors, floats [N, d].
        encoder: of the questions.
        labelled: texts of training queries, each with the row of a right passage: dense retrieval is fine-tuned on
            them, by a linear map of the queries' vectors.
    """

    passages: Sequence[Passage]
    vectors: npt.NDArray[Any]
    encoder: Encoder
    labelled: Sequence[tuple[str, int]] = ()

    def ask(self, queries: Sequence[Query], k: int, stages: Stages) -> dict[str, Run]:
        """The run of every baseline, by its name in `BASELINES`; each kind is a stage of its own.

        `hybrid` is the sum of dense and tuned BM25 over all passages, `RRF` their reciprocal ranks.
        """
        runs: dict[str, Run] = {}
        depth = max(k, FUSED_DEPTH)
        with stages.stage("ask BM25"):
            runs[WORDS] = self._plain.run(queries, k)
        with stages.stage("ask BM25, tuned"):
            by_words = self._tuned.run(queries, depth)
        with stages.stage("ask the dense retriever"):
            asked = self._embed([query.text for query in queries])
            by_vectors = nearest_run(queries, asked, self._ids, self.vectors, depth)
        with stages.stage("ask both together"):
            runs[HYBRID] = hybrid_run(queries, asked, self.vectors, self._tuned, k)
            runs[RANKS] = fuse_runs(
                [by_words, by_vectors], method="reciprocal", depth=k, passage_ids=self._ids
            )
        runs[WORDS_TUNED], runs[DENSE] = (
            {query_id: hits[:k] for query_id, hits in run.items()} for run in (by_words, by_vectors)
        )
        if self.labelled:
            with stages.stage("fine-tune the dense retriever, and ask it"):
                mapped = self._mapped(asked)
                runs[DENSE_TUNED] = nearest_run(queries, mapped, self._ids, self.vectors, k)
                runs[HYBRID_TUNED] = hybrid_run(queries, mapped, self.vectors, self._tuned, k)
        return {name: runs[name] for name in BASELINES if name in runs}

    @cached_property
    def _ids(self) -> list[str]:
        return [passage.passage_id for passage in self.passages]

    @cached_property
    def _plain(self) -> BM25:
        return BM25(self.passages, BM25_PLAIN)

    @cached_property
    def _tuned(self) -> BM25:
        return BM25(self.passages, BM25_TUNED)

    @cached_property
    def _query_map(self) -> torch.Tensor:
        texts, rows = zip(*self.labelled, strict=True)
        learned = fit_query_side(
            self._embed(texts), np.array(rows, np.int64), self.vectors, steps=QUERY_MAP_STEPS
        )
        return learned.map

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        return embed_texts(self.encoder, texts, cache=default_cache()).astype(np.float32)

    def _mapped(self, asked: FloatArray) -> FloatArray:
        """Of length 1, as vectors are that BM25's weight is for."""
        found: FloatArray = mapped(torch.from_numpy(asked), self._query_map).numpy()
        return found


def labelled_rows(
    train: Judgements, queries: Mapping[str, str], passage_ids: Sequence[str]
) -> list[tuple[str, int]]:
    """Each training query's text with the row of each of its right passages that are there."""
    rows = {passage_id: row for row, passage_id in enumerate(passage_ids)}
    return [
        (queries[query_id], rows[passage_id])
        for query_id, grades in train.items()
        for passage_id, grade in grades.items()
        if grade > 0 and passage_id in rows
    ]
