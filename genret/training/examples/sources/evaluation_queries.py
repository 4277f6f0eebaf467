"""Queries that a model is evaluated on, so that none of them is trained on: each is left out, with a warning.

Knows texts; two are the same when their words are, whatever their case and punctuation. A source that has its texts in
a list drops them from it (`EvaluationQueries.others`); for one that draws them, the next pair takes the place of one
that must not be drawn (`Guarded`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from genret.errors import InputError
from genret.training.examples.sources.pair import Pair

__all__ = ["EvaluationQueries", "Guarded"]

T = TypeVar("T")
_log = logging.getLogger(__name__)
_WORD = re.compile(r"\w+")


class EvaluationQueries:
    """A set of texts; `text in queries` compares words."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._keys = frozenset(map(_key, texts))

    def __contains__(self, text: object) -> bool:
        return bool(self._keys) and isinstance(text, str) and _key(text) in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def others(self, items: Iterable[T], text: Callable[[T], str], source: str) -> Iterator[T]:
        """The items whose text is none of these; a warning that names `source` says how many were left out."""
        first, count = "", 0
        for item in items:
            if text(item) not in self:
                yield item
                continue
            first, count = first or text(item), count + 1
        if count:
            _log.warning(
                "source %r: %s left out of training, such as %r: data.evaluation has them.",
                source,
                f"{count:,} texts are" if count > 1 else "a text is",
                first[:80],
            )


class Guarded(Sequence[Pair]):
    """Pairs of a source; in the place of one whose text is an evaluation query stands the next that has none.

    The first that is left out is named in a warning.
    """

    def __init__(self, pairs: Sequence[Pair], queries: EvaluationQueries, name: str) -> None:
        self._pairs, self._queries, self._name = pairs, queries, name
        self._warned = False

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        pair = self._pairs[place]
        for step in range(1, len(self)):
            if pair.text not in self._queries:
                return pair
            self._warn(pair)
            pair = self._pairs[(place + step) % len(self)]
        if pair.text in self._queries:
            raise InputError(
                f"source {self._name!r}: every text of it is an evaluation query (data.evaluation), such as "
                f"{pair.text[:80]!r}; nothing is left to train on."
            )
        return pair

    def _warn(self, pair: Pair) -> None:
        if not self._warned:
            _log.warning(
                "source %r: texts are left out of training, such as %r: data.evaluation has them.",
                self._name,
                pair.text[:80],
            )
        self._warned = True


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
