"""What every retriever offers beside its own way to search: one query, many, and refusals.

Knows queries and numbers; knows no model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from genret.errors import InputError, UsageError

__all__ = ["Searching", "check_search"]

AnyHit = TypeVar("AnyHit")


class Searching(ABC, Generic[AnyHit]):
    """A retriever, from its one abstract method."""

    @abstractmethod
    def iter_search(
        self, queries: Sequence[str], k: int = 10, *, num_beams: int | None = None, with_text: bool = False
    ) -> Iterator[list[AnyHit]]:
        """As `batch_search`, yielding each query's hits in order as its batch is done."""

    def search(self, query: str, k: int = 10, **options: Any) -> list[AnyHit]:
        """The `k` best passages for one query; options as in `batch_search`."""
        return self.batch_search([query], k, **options)[0]

    def batch_search(
        self, queries: Sequence[str], k: int = 10, *, num_beams: int | None = None, with_text: bool = False
    ) -> list[list[AnyHit]]:
        """The `k` best passages for each query, best first, fewer where fewer were found.

        Raises:
            InputError: a query is empty. UsageError: `k` or `num_beams` is not positive.
        """
        return list(self.iter_search(queries, k, num_beams=num_beams, with_text=with_text))


def check_search(queries: Sequence[str], k: int, num_beams: int | None) -> None:
    """Refuse what cannot be searched; see `Searching.batch_search`."""
    if k < 1 or (num_beams is not None and num_beams < 1):
        raise UsageError(f"k and num_beams must be at least 1; found k={k}, num_beams={num_beams}.")
    for position, query in enumerate(queries):
        if not query.strip():
            raise InputError(f"query {position} is empty; give it at least one word.")
