"""What every source of examples is: a small class with a YAML name, from material to pairs of text and passages.

Knows passages, queries and random numbers; knows no docid and no model. A source opens as a sequence: pair i is
computed when it is asked for, from the seed and i alone, so that a corpus larger than memory streams through, any
worker reads any part, and a resumed run reads what the undisturbed one would have read.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, overload

import numpy as np

from genret.corpus import Judgements, PassageStore
from genret.errors import InputError
from genret.tokenizer.interface import Tokenizer
from genret.training.examples.sources.evaluation_queries import EvaluationQueries
from genret.training.examples.sources.pair import Pair
from genret.training.examples.sources.passage_pages import Pages

__all__ = ["Computed", "Material", "Pair", "Source", "preview"]


@dataclass(frozen=True)
class Material:
    """What sources read.

    Attributes:
        passages: the corpus; its rows are document numbers.
        queries: query_id to text, of the queries that may be trained on.
        judgements: of those queries.
        evaluation: queries that no source may give.
        tokenizer: the model's, for sources whose targets are tokens of texts.
        seed: of everything that is drawn.
    """

    passages: PassageStore
    queries: Mapping[str, str] = field(default_factory=dict)
    judgements: Judgements = field(default_factory=dict)
    evaluation: EvaluationQueries = field(default_factory=EvaluationQueries)
    tokenizer: Tokenizer | None = None
    seed: int = 0

    def need_tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            InputError: there is none.
        """
        if self.tokenizer is None:
            raise InputError("this source's targets are tokens of texts; it needs the model's tokenizer.")
        return self.tokenizer

    @cached_property
    def pages(self) -> Pages:
        """Passages with one title, as pages."""
        return Pages(self.passages.titles)

    @cached_property
    def opened(self) -> dict[str, Any]:
        """What sources have read from files, by path: several of a mixture read the same one."""
        return {}

    def row(self, passage_id: str) -> int | None:
        """The row of a passage; None where the corpus does not hold it."""
        return self.passages.row(passage_id) if self.passages.__contains__(passage_id) else None

    def random(self, name: str, *items: int) -> np.random.Generator:
        """Random numbers for one item of the source `name`, the same whatever was drawn before."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), *items])


class Source(ABC):
    """Where training pairs come from; a frozen dataclass whose fields are its options."""

    name: ClassVar[str]

    @abstractmethod
    def open(self, material: Material) -> Sequence[Pair]:
        """All pairs, each computed when asked for.

        Raises:
            InputError: the material lacks what the source needs.
        """


class Computed(Sequence[Pair]):
    """`size` pairs, the i-th of them `make(i)`."""

    def __init__(self, size: int, make: Callable[[int], Pair]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        if isinstance(place, slice):
            return [self._make(one) for one in range(*place.indices(self._size))]
        if not -self._size <= place < self._size:
            raise IndexError(f"pair {place} of {self._size}")
        return self._make(place % self._size)


def preview(source: Source, material: Material, count: int = 20) -> Iterator[Pair]:
    """The first `count` pairs in the order of a random permutation, so that all parts of a corpus show up.

    Raises:
        InputError: the source holds no pair.
    """
    pairs = source.open(material)
    if not pairs:
        raise InputError(f"source {source.name!r} holds no pair for this corpus.")
    order = material.random(f"preview of {source.name}").permutation(len(pairs))
    return (pairs[int(place)] for place in islice(order, count))
