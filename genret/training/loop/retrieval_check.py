"""How well the model in training retrieves: hit@k of a sample of queries, through the real decoder.

Knows a backbone, docids and judged queries; knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from genret.constraint import TrieConstraint
from genret.decoding import beam_search
from genret.training.engines.processes import World

__all__ = ["RetrievalCheck"]

BATCH = 16


class RetrievalCheck:
    """Searches a sample of judged queries, each process its part of them.

    Args:
        backbone: searched as it is at the moment of the call.
        constraint: what it may emit.
        judged: a query's text and the rows of its relevant passages.
        size: so many queries are drawn, the same at every call.
        search: options of `beam_search`; `num_beams` at least.
    """

    def __init__(
        self,
        backbone: Any,
        constraint: TrieConstraint,
        judged: Sequence[tuple[str, frozenset[int]]],
        *,
        size: int,
        search: Mapping[str, Any],
        world: World,
        seed: int = 0,
        cutoffs: Sequence[int] = (1, 10),
    ) -> None:
        self.backbone, self.constraint = backbone, constraint
        self.search, self.world = dict(search), world
        order = np.random.default_rng([seed, 5]).permutation(len(judged))[:size]
        self.judged = [judged[int(place)] for place in order]
        self.cutoffs = list(cutoffs)

    def __call__(self) -> dict[str, float]:
        """hit@k over the sample, the same in all processes."""
        training = self.backbone.training
        self.backbone.eval()
        own = self.judged[self.world.rank :: self.world.size]
        hits = np.zeros(len(self.cutoffs))
        with torch.inference_mode():
            for begin in range(0, len(own), BATCH):
                hits += self._hits(own[begin : begin + BATCH])
        self.backbone.train(training)
        *totals, queries = self.world.sum([*hits.tolist(), float(len(own))])
        return {f"hit@{k}": total / queries for k, total in zip(self.cutoffs, totals, strict=True)}

    def _hits(self, batch: Sequence[tuple[str, frozenset[int]]]) -> np.ndarray[Any, Any]:
        """Queries of the batch with a relevant passage among the first k, for each k."""
        encoded = self.backbone.encode([text for text, _ in batch])
        found = beam_search(self.backbone, encoded, self.constraint, **self.search)
        hits = np.zeros(len(self.cutoffs))
        for (_, relevant), hypotheses in zip(batch, found, strict=True):
            rows = [row for hypothesis in hypotheses for row in hypothesis.documents]
            hits += [bool(relevant.intersection(rows[:k])) for k in self.cutoffs]
        return hits
