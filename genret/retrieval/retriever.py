"""What every retriever is: a model, what it may emit and the passages, as one object that is searched, saved, loaded.

Knows queries, numbers and folders; knows no way to search.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from fm_index.files import foreign
from genret.artefact import MANIFEST, check_folder, publish_folder
from genret.config import from_mapping
from genret.constraint.protocol import Constraint
from genret.device import pick_device
from genret.errors import ArtefactError, InputError, UsageError
from genret.generations import read_whole
from genret.models.backbone import Backbone
from genret.models.loading import load_backbone

if TYPE_CHECKING:
    from genret.corpus import PassageStore, Query, Run
    from genret.decoding import Trace
    from genret.retrieval.matches import Match, Piece

__all__ = ["AnyHit", "Retriever", "search_run"]


class _Options(Protocol):
    """What a retriever's options have whatever its kind."""

    @property
    def num_beams(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    def values(self) -> dict[str, Any]: ...


class _Hit(Protocol):
    @property
    def passage_id(self) -> str: ...
    @property
    def score(self) -> float: ...


AnyHit = TypeVar("AnyHit", bound=_Hit)
AnyOptions = TypeVar("AnyOptions", bound=_Options)


class Retriever(ABC, Generic[AnyHit, AnyOptions]):
    """A retriever, from what its kind adds.

    Attributes:
        kind, version: of its folder.
        options_type: the class of `options`.
        backbone: the model.
        options: how it is searched where a call does not say otherwise; stored with it.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    options_type: ClassVar[type[Any]]
    backbone: Backbone
    options: AnyOptions

    @property
    @abstractmethod
    def passages(self) -> PassageStore:
        """The passages; their rows are the numbers of the documents that searches find."""

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Constraint | None = None,
        with_text: bool = False,
    ) -> list[AnyHit]:
        """The `k` best passages for one query; arguments and errors as in `batch_search`."""
        return self.batch_search([query], k, num_beams=num_beams, constraint=constraint, with_text=with_text)[
            0
        ]

    def batch_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Constraint | None = None,
        with_text: bool = False,
    ) -> list[list[AnyHit]]:
        """The `k` best passages for each query, best first, fewer where fewer were found.

        Args:
            queries: texts.
            k: passages of a query, at most.
            num_beams: in place of the stored number.
            constraint: what the model may emit in place of everything that stands for a passage, such as
                `retriever.constraint.within([3, 5])` for docids of these rows alone.
            with_text: fill the hits' `text`.

        Raises:
            InputError: a query is empty, or holds what is no character. UsageError: `k` or `num_beams` is not positive.
        """
        return list(
            self.iter_search(queries, k, num_beams=num_beams, constraint=constraint, with_text=with_text)
        )

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Constraint | None = None,
        with_text: bool = False,
    ) -> Iterator[list[AnyHit]]:
        """As `batch_search`, yielding each query's hits in order as its batch is done."""
        _check(queries, k, num_beams)
        beams, size = num_beams or self.options.num_beams, self.options.batch_size
        for begin in range(0, len(queries), size):
            yield from self._answer(queries[begin : begin + size], k, beams, constraint, with_text)

    @abstractmethod
    def _answer(
        self, queries: Sequence[str], k: int, num_beams: int, constraint: Constraint | None, with_text: bool
    ) -> Iterator[list[AnyHit]]:
        """The hits of one batch of queries that were checked."""

    @abstractmethod
    def trace(
        self, query: str, num_beams: int | None = None, *, constraint: Constraint | None = None
    ) -> Trace:
        """How the search for one query went, step by step."""

    @abstractmethod
    def matches(self, hit: AnyHit) -> Sequence[Match]:
        """What of the passage found it.

        Raises:
            UsageError: this model's identifiers are no text of the passage.
        """

    @abstractmethod
    def pieces(self, hit: AnyHit) -> list[Piece]:
        """The hit's passage, cut at its matches; errors as for `matches`."""

    @abstractmethod
    def with_options(self, **changes: Any) -> Self:
        """The same retriever with some options changed."""

    def save_pretrained(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a self-contained model folder: Hugging Face's files, what the model may emit, passages, manifest.

        Raises:
            InputError: `folder` exists and `overwrite` is false.
        """
        meta = {"settings": self.options.values(), "passages": len(self.passages), **self._meta()}
        with publish_folder(
            folder, kind=self.kind, version=self.version, meta=meta, overwrite=overwrite
        ) as scratch:
            self.backbone.save_pretrained(scratch)
            self._save(scratch)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], *, device: str | None = None, verify: bool = True
    ) -> Self:
        """Load what `save_pretrained` wrote; every file is checked against the manifest first.

        `verify=False` checks names and sizes only, which takes no time on large folders.

        Raises:
            InputError: no such folder. ArtefactError: something in it is missing, damaged, newer than this
                library, or its tokenizer is not the one that its docids or its index were made with.
        """
        return read_whole(folder, partial(cls._read, Path(folder), device, verify))

    @classmethod
    def _read(cls, place: Path, device: str | None, verify: bool) -> Self:
        """The retriever in a folder."""
        meta = check_folder(place, kind=cls.kind, version=cls.version, verify=verify)
        with foreign(place / MANIFEST, "settings"):
            options = from_mapping(cls.options_type, meta["settings"], f"{place}: settings")
        load = partial(load_backbone, place, device=pick_device(device))
        found = cls._load(place, meta, options, load, verify)
        if meta.get("passages") != len(found.passages):
            raise ArtefactError(f"{place}: altered: it does not hold {meta.get('passages')!r:.80} passages.")
        return found

    def _meta(self) -> dict[str, Any]:
        """What the kind adds to the manifest."""
        return {}

    @abstractmethod
    def _save(self, scratch: Path) -> None:
        """Write what the kind has beside the model."""

    @classmethod
    @abstractmethod
    def _load(
        cls,
        place: Path,
        meta: dict[str, Any],
        options: Any,
        load: Callable[[], Backbone],
        verify: bool,
    ) -> Self:
        """The retriever in a folder whose manifest says `meta`; `load` gives its model, which takes longest."""


def search_run(
    retriever: Retriever[Any, Any],
    queries: Sequence[Query],
    k: int = 10,
    constraint: Constraint | None = None,
) -> Run:
    """The run of a retriever: the `k` best passages of each query, by query id; `constraint` as in `batch_search`."""
    found = retriever.batch_search([query.text for query in queries], k, constraint=constraint)
    return {
        query.query_id: [(hit.passage_id, hit.score) for hit in hits]
        for query, hits in zip(queries, found, strict=True)
    }


def _check(queries: Sequence[str], k: int, num_beams: int | None) -> None:
    """Refuse what cannot be searched; see `Retriever.batch_search`."""
    if k < 1 or (num_beams is not None and num_beams < 1):
        raise UsageError(f"k and num_beams must be at least 1; found k={k}, num_beams={num_beams}.")
    for position, query in enumerate(queries):
        if not query.strip():
            raise InputError(f"query {position} is empty; give it at least one word.")
        try:
            query.encode()
        except UnicodeEncodeError as error:
            # As Python gives on what a terminal in another encoding has sent.
            raise InputError(
                f"query {position} is no text: character {error.start + 1} is half of one or was not in UTF-8; write "
                "queries in UTF-8."
            ) from error
