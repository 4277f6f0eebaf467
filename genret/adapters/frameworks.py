"""What the adapters of frameworks share: passages with all that is known of why they were found, and a framework that
is not installed. Knows no framework.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from genret.errors import UsageError
from genret.retrieval.retriever import Retriever

__all__ = ["Found", "MissingFramework", "found_passages", "framework"]

# Frameworks call from many threads. One search uses all cores, so that two at once gain nothing.
_ONE_SEARCH = threading.Lock()


class MissingFramework(UsageError, ImportError):
    """A framework that an adapter is for is not installed."""


@contextmanager
def framework(name: str, package: str) -> Iterator[None]:
    """Around the imports of a framework that `pip install package` brings.

    Raises:
        MissingFramework: one of them failed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingFramework(
            f"the adapter for {name} needs {package}: pip install {package} ({error})."
        ) from None


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
