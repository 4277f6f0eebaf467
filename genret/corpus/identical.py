"""Queries that are themselves passages (ArguAna, Quora): what a search finds of a query's own id is no answer to it.

N. Thakur et al., "BEIR: a Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models", NeurIPS
2021; its evaluation leaves such hits out. Whoever searches so asks for one passage more, and keeps as many as before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from genret.corpus.types import Judgements, Run

__all__ = ["identical_hits", "without_identical"]

# A passage's id, and whatever was found with it.
Hit = TypeVar("Hit", bound=tuple[str, *tuple[object, ...]])


def without_identical(query_id: str, hits: Iterable[Hit]) -> list[Hit]:
    """The hits whose passage has not the id of the query, in their order."""
    return [hit for hit in hits if hit[0] != query_id]


def identical_hits(run: Run, judgements: Judgements) -> int:
    """How many judged queries have a hit with their own id that is not judged relevant."""
    return sum(
        any(passage_id == query_id for passage_id, _ in run.get(query_id, []))
        for query_id, grades in judgements.items()
        if grades.get(query_id, 0) <= 0
    )
