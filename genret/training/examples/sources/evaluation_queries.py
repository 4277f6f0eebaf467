"""Queries that a model is evaluated on, so that none of them is trained on.

Knows texts; two are the same when their words are, whatever their case and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import overload

from genret.errors import InputError
from genret.training.examples.sources.pair import Pair

__all__ = ["EvaluationQueries", "Guarded"]

_WORD = re.compile(r"\w+")


class EvaluationQueries:
    """A set of texts; `text in queries` compares words."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._keys = frozenset(map(_key, texts))

    def __contains__(self, text: object) -> bool:
        return bool(self._keys) and isinstance(text, str) and _key(text) in self._keys

    def __len__(self) -> int:
        return len(self._keys)


class Guarded(Sequence[Pair]):
    """Pairs of a source; one whose text is an evaluation query is an error, and ends the run that asked for it."""

    def __init__(self, pairs: Sequence[Pair], queries: EvaluationQueries, name: str) -> None:
        self._pairs, self._queries, self._name = pairs, queries, name

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
        if pair.text in self._queries:
            raise InputError(
                f"source {self._name!r}, example {place}: its text {pair.text[:80]!r} is an evaluation query "
                "(data.evaluation); a figure for a query that was trained on means nothing. Take it out of the "
                "source's file, or out of the evaluation."
            )
        return pair


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
