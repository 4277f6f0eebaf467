"""Many texts: sorted by length, cut into batches by tokens, and returned in their order.

Knows how long the sources are; knows nothing of what is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from genret.decoding.steps.hypothesis import Hypothesis
from genret.models.backbone import Backbone, Encoded

__all__ = ["batches_by_tokens", "search_texts"]

# Source tokens of a batch, padding included, times beams is what a step's memory grows with.
TOKENS = 4096
QUERIES = 64


def batches_by_tokens(
    lengths: Sequence[int], tokens: int = TOKENS, queries: int = QUERIES
) -> Iterator[list[int]]:
    """Places of `lengths`, longest first, in batches of at most `tokens` with padding and at most `queries`.

    A text longer than `tokens` is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    batch: list[int] = []
    for place in order:
        longest = lengths[batch[0]] if batch else 0
        if batch and (len(batch) == queries or longest * (len(batch) + 1) > tokens):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def search_texts(
    backbone: Backbone,
    texts: Sequence[str],
    search: Callable[[Encoded, list[int]], list[list[Hypothesis]]],
    tokens: int = TOKENS,
    queries: int = QUERIES,
) -> list[list[Hypothesis]]:
    """Search any number of texts; results in their order.

    Args:
        backbone: the model.
        texts: the queries.
        search: called for each batch with what `backbone.encode` returned and the places of its texts in
            `texts` (for options with one entry a query), e.g.
            `lambda encoded, places: beam_search(backbone, encoded, constraint)`.
        tokens: source tokens of a batch, padding included.
        queries: texts of a batch.
    """
    found: list[list[Hypothesis]] = [[] for _ in texts]
    for places in batches_by_tokens(backbone.source_lengths(texts), tokens, queries):
        with torch.inference_mode():
            encoded: Any = backbone.encode([texts[place] for place in places])
        for place, hypotheses in zip(places, search(encoded, places), strict=True):
            found[place] = hypotheses
    return found
