"""Whether queries may be answered in one batch, on a share of the cores: found out once for a model, by asking, or not done.

Products of matrices may round a row otherwise when there are more rows, and whether they do depends on the model, the
library for matrices, the processor and the number of threads. One pass over all documents is built so that it does not
(see `genret.models.exactness.company`); beams are not. Knows retrievers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.from_folder import AnyRetriever

__all__ = ["lanes_of", "same_together"]

_log = logging.getLogger(__name__)
# Words of the queries that are asked: of one width, and of several.
LENGTHS = (1, 3, 5, 8, 10, 24)
# Queries in a batch: of few, of some, and of as many as are ever searched together.
SIZES = (2, 5, 32)
DEPTH = 10
# Batches that are run at once, at most: what Python does between products of matrices is done for one at a time.
LANES = 4


def lanes_of(retriever: AnyRetriever) -> int:
    """How many batches are run at once: as many as there are cores, up to `LANES`; one that has a GPU for itself."""
    return min(LANES, torch.get_num_threads()) if retriever.backbone.device.type == "cpu" else 1


def same_together(retriever: AnyRetriever) -> bool:
    """Whether each query's answer has the same bits alone on all cores and in a batch of a lane, in the mode `plan`."""
    if not isinstance(retriever, GenerativeRetriever) or not len(retriever.passages):
        return False
    if retriever.options.mode != "plan":
        return False
    queries = _queries(retriever)
    alone = [retriever.search(query, DEPTH) for query in queries]
    cores = torch.get_num_threads()
    torch.set_num_threads(cores // lanes_of(retriever))
    try:
        same = all(_same(retriever, queries, alone, size) for size in SIZES)
    finally:
        torch.set_num_threads(cores)
    if not same:
        _log.warning(
            "on this machine batches change the last bits of scores; queries are answered one by one."
        )
    return same


def _same(retriever: GenerativeRetriever, queries: Sequence[str], alone: Sequence[object], size: int) -> bool:
    places = [(7 * place) % len(queries) for place in range(size)]
    together = retriever.batch_search([queries[place] for place in places], DEPTH)
    return together == [alone[place] for place in places]


def _queries(retriever: GenerativeRetriever) -> list[str]:
    """Beginnings of passages."""
    found = []
    for place, length in enumerate(LENGTHS):
        passage = retriever.passages[place * len(retriever.passages) // len(LENGTHS)]
        found.append(" ".join(passage.full_text.split()[:length]))
    return [query for query in found if query]
