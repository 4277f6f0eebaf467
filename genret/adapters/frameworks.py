"""What the adapters of frameworks share: passages with all that is known of why they were found. Knows no framework."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from genret.errors import UsageError
from genret.retrieval.from_folder import load_retriever
from genret.retrieval.retriever import Retriever

__all__ = ["Found", "Model", "found_passages", "loaded"]

# What an adapter is made with.
Model: TypeAlias = "str | os.PathLike[str] | Retriever[Any, Any]"
# Frameworks call from many threads. One search uses all cores, so that two at once gain nothing.
_ONE_SEARCH = threading.Lock()


def loaded(model: Model) -> Retriever[Any, Any]:
    """The retriever itself, or the one in its folder; errors as for `genret.load`.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(model, Retriever):
        return model
    if not isinstance(model, str | os.PathLike):
        raise UsageError(f"expected a retriever or its model folder, found {type(model).__name__}.")
    return load_retriever(model)


class Found(NamedTuple):
    """A passage as frameworks take it.

    Attributes:
        text: the passage's, or its title where it has no text.
        score: of the search.
        metadata: the passage's own, and over these `id`, `title`, `score` and `parts`.
        parts: what the hit has beside: its rank, docid and score's parts, or its n-grams; plain values.
    """

    passage_id: str
    text: str
    score: float
    metadata: dict[str, Any]
    parts: dict[str, Any]


def found_passages(
    retriever: Retriever[Any, Any], queries: Sequence[str], k: int, where: str | None = None
) -> list[list[Found]]:
    """The `k` best passages of each query, best first; `where` and errors as for `Retriever.batch_search`."""
    with _ONE_SEARCH:
        searched = retriever.batch_search(queries, k, where=where)
    return [[_found(retriever, hit) for hit in hits] for hits in searched]


def _found(retriever: Retriever[Any, Any], hit: Any) -> Found:
    passage = retriever.passages[retriever.passages.row(hit.passage_id)]
    said = {"passage_id", "text", "score", "metadata"}
    parts = {name: _plain(value) for name, value in hit._asdict().items() if name not in said}
    own = {"id": passage.passage_id, "title": passage.title, "score": float(hit.score), **parts}
    return Found(passage.passage_id, passage.body, own["score"], {**passage.metadata, **own}, parts)


def _plain(value: Any) -> Any:
    """Numbers, text, lists and dictionaries in place of tuples and records."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "_asdict"):
        return value._asdict()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
