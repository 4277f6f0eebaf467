"""How well the model in training retrieves: hit@k of a sample of queries, through the retriever that it will be.

Knows a retriever and judged queries; knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from genret.constraint import Constraint
from genret.retrieval.retriever import Retriever
from genret.training.engines.processes import World

__all__ = ["RetrievalCheck"]


class RetrievalCheck:
    """Searches a sample of judged queries, each process its part of them.

    Args:
        retriever: searched with its model as it is at the moment of the call.
        judged: a query's text and the rows of its relevant passages.
        size: so many queries are drawn, the same at every call.
        constraint: what may be found, as in `Retriever.batch_search`.
    """

    def __init__(
        self,
        retriever: Retriever[Any, Any],
        judged: Sequence[tuple[str, frozenset[int]]],
        *,
        size: int,
        world: World,
        seed: int = 0,
        cutoffs: Sequence[int] = (1, 10),
        constraint: Constraint | None = None,
    ) -> None:
        self.retriever, self.world, self.constraint = retriever, world, constraint
        order = np.random.default_rng([seed, 5]).permutation(len(judged))[:size]
        self.judged = [judged[int(place)] for place in order]
        self.cutoffs = list(cutoffs)

    def __call__(self) -> dict[str, float]:
        """hit@k over the sample, the same in all processes."""
        backbone = self.retriever.backbone
        training = backbone.training
        backbone.eval()
        own = self.judged[self.world.rank :: self.world.size]
        with torch.inference_mode():
            hits = self._hits(own)
        backbone.train(training)
        *totals, queries = self.world.sum([*hits.tolist(), float(len(own))])
        return {f"hit@{k}": total / queries for k, total in zip(self.cutoffs, totals, strict=True)}

    def _hits(self, judged: Sequence[tuple[str, frozenset[int]]]) -> np.ndarray[Any, Any]:
        """Queries with a relevant passage among the first k, for each k."""
        hits = np.zeros(len(self.cutoffs))
        texts = [text for text, _ in judged]
        found = self.retriever.iter_search(texts, max(self.cutoffs), constraint=self.constraint)
        for (_, relevant), ranked in zip(judged, found, strict=True):
            rows = [self.retriever.passages.row(hit.passage_id) for hit in ranked]
            hits += [bool(relevant.intersection(rows[:k])) for k in self.cutoffs]
        return hits
