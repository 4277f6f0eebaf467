"""What every retriever is: a model, what it may emit and the passages, as one object that is searched, saved, loaded.

Knows queries, numbers and folders; knows no way to search.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import cached_property, lru_cache, partial
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, Self, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

from fm_index.files import foreign
from genret.artefact import MANIFEST, CheckedFolder, checked_folder, publish_folder
from genret.config import from_mapping
from genret.constraint.protocol import Constraint
from genret.device import pick_device
from genret.errors import ArtefactError, InputError, UsageError
from genret.generations import changing, publish_generation, read_whole
from genret.models.backbone import Backbone
from genret.models.loading import load_backbone
from genret.retrieval.changes import Change, add_passages, remove_passages, update_passages
from genret.tokenizer.plain_text import is_unknown

if TYPE_CHECKING:
    from genret.corpus import Passage, PassageStore, Query, Run
    from genret.decoding import Trace
    from genret.retrieval.matches import Match, Piece

__all__ = ["FILTERS", "AnyHit", "Limits", "Retriever", "search_run"]


# So many filters are remembered: each a flag a passage, and what a constraint makes of them.
FILTERS = 8


class Limits(NamedTuple):
    """What a search is kept to.

    Attributes:
        constraint: what the model may emit; None: everything that stands for a passage.
        rows: bool [passages], the only ones that may be found, where the constraint does not see to it.
    """

    constraint: Constraint | None
    rows: npt.NDArray[np.bool_] | None = None


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
        source: the folder that it was loaded from, or published to; None where there is none.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    options_type: ClassVar[type[Any]]
    backbone: Backbone
    options: AnyOptions
    source: CheckedFolder | None = None

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
        where: str | None = None,
        with_text: bool = False,
    ) -> list[AnyHit]:
        """The `k` best passages for one query; arguments and errors as in `batch_search`."""
        return self.batch_search(
            [query], k, num_beams=num_beams, constraint=constraint, where=where, with_text=with_text
        )[0]

    def batch_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Constraint | None = None,
        where: str | None = None,
        with_text: bool = False,
    ) -> list[list[AnyHit]]:
        """The `k` best passages for each query, best first, fewer where fewer were found.

        Args:
            queries: texts.
            k: passages of a query, at most.
            num_beams: in place of the stored number.
            constraint: what the model may emit in place of everything that stands for a passage, such as
                `retriever.constraint.within([3, 5])` for docids of these rows alone.
            where: a condition on the passages' fields, such as `lang = "en" and year >= 2020`: others are not found
                (see `genret.corpus.where`); within `constraint`, where both are given.
            with_text: fill the hits' `text`.

        Raises:
            InputError: a query is empty, or holds what is no character; `where` is no condition on these passages.
                UsageError: `k` or `num_beams` is no positive whole number, or a query no text.
        """
        return list(
            self.iter_search(
                queries, k, num_beams=num_beams, constraint=constraint, where=where, with_text=with_text
            )
        )

    def iter_search(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        num_beams: int | None = None,
        constraint: Constraint | None = None,
        where: str | None = None,
        with_text: bool = False,
    ) -> Iterator[list[AnyHit]]:
        """As `batch_search`, yielding each query's hits in order as its batch is done."""
        _check(queries, k, num_beams)
        beams, size = num_beams or self.options.num_beams, self.options.batch_size
        limits = self._limits(constraint, where)
        for begin in range(0, len(queries), size):
            yield from self._answer(queries[begin : begin + size], k, beams, limits, with_text)

    def told_of(self, query: str) -> str | None:
        """What a person should know of a query beside its hits; None where there is nothing."""
        if not is_unknown(self.backbone.source_tokenizer, query):
            return None
        return "the model's vocabulary has nothing that stands in this query: what it finds says little."

    def _limits(self, constraint: Constraint | None, where: str | None) -> Limits:
        """What a search is kept to."""
        return Limits(constraint, None if where is None else self._rows(where))

    @cached_property
    def _rows(self) -> Callable[[str], npt.NDArray[np.bool_]]:
        """What conditions let through; the latest are remembered."""
        from genret.corpus.where import matching_rows

        return lru_cache(FILTERS)(partial(matching_rows, self.passages))

    @abstractmethod
    def _answer(
        self, queries: Sequence[str], k: int, num_beams: int, limits: Limits, with_text: bool
    ) -> Iterator[list[AnyHit]]:
        """The hits of one batch of queries that were checked."""

    @abstractmethod
    def trace(
        self,
        query: str,
        num_beams: int | None = None,
        *,
        constraint: Constraint | None = None,
        where: str | None = None,
    ) -> Trace:
        """How the search for one query went, step by step; `constraint` and `where` as in `batch_search`."""

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
        """The same retriever with some options changed; `publish` leaves those that are stored."""

    def add(self, passages: Iterable[Passage]) -> Self:
        """A retriever with more passages, behind its own; only these are encoded. `publish` writes it.

        Raises:
            InputError: one is there already, two have one id, or this model cannot give passages identifiers that come
                later; the message says why.
        """
        return self.changed(add_passages(self.passages, passages))

    def remove(self, passage_ids: Iterable[str]) -> Self:
        """A retriever without the passages of these ids. `publish` writes it.

        Raises:
            InputError: no passage has one of them, or no passage would be left.
        """
        return self.changed(remove_passages(self.passages, passage_ids))

    def update(self, passages: Iterable[Passage]) -> Self:
        """A retriever of these passages: added, changed and removed by id and content. `publish` writes it.

        Passages that stay keep their order, and what is new or has another title or text comes behind them.

        Raises:
            InputError: as `add`; or no passage is given.
        """
        return self.changed(update_passages(self.passages, passages))

    def changed(self, change: Change) -> Self:
        """What `add`, `remove` and `update` return; itself where nothing changes.

        Raises:
            InputError: as there.
        """
        if not change:
            return self
        if not len(change.kept) and not len(change.fresh):
            raise InputError(
                "no passage would be left, and a model of none has nothing to answer; remove its folder instead."
            )
        made = self._changed(change, change.of(self.passages))
        made.source = self.source
        return made

    def compacted(self) -> Self:
        """The same in one piece, where changes have left it in several; itself where they have not."""
        return self

    def publish(self) -> None:
        """Put this retriever in the place of the folder that it, or what it was changed from, was loaded from.

        The new generation is seen at once and whole; processes that have loaded the one before go on with that. Files
        that stayed the same are shared, not written again.

        Raises:
            UsageError: it was not loaded from a folder.
            InputError: the folder may not be written to, or was changed meanwhile.
        """
        if self.source is None:
            raise UsageError(
                "this retriever was not loaded from a folder; `save_pretrained` writes it into a new one."
            )
        with changing(self.source.folder):
            self.publish_held()

    def publish_held(self) -> None:
        """As `publish`, inside `genret.generations.changing`."""
        assert self.source is not None
        source = self.source

        def write(scratch: Path) -> dict[str, Any]:
            more = self._write_changed(scratch, source)
            return {**source.meta, "passages": len(self.passages), **more}

        self.source = publish_generation(source, write, kind=self.kind, version=self.version)

    @abstractmethod
    def _changed(self, change: Change, passages: PassageStore) -> Self:
        """The retriever of `passages`, which are those after `change`."""

    @abstractmethod
    def _write_changed(self, scratch: Path, source: CheckedFolder) -> dict[str, Any]:
        """Write what changes may have changed into a linked copy of `source`; what the kind adds to the manifest."""

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
        source = checked_folder(place, kind=cls.kind, version=cls.version, verify=verify)
        meta = source.meta
        with foreign(place / MANIFEST, "settings"):
            options = from_mapping(cls.options_type, meta["settings"], f"{place}: settings")
        load = partial(load_backbone, place, device=pick_device(device))
        found = cls._load(place, meta, options, load, verify)
        if meta.get("passages") != len(found.passages):
            raise ArtefactError(f"{place}: altered: it does not hold {meta.get('passages')!r:.80} passages.")
        found.source = source
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
    for number in (k, 1 if num_beams is None else num_beams):
        if not isinstance(number, SupportsIndex) or index(number) < 1:
            raise UsageError(
                f"k and num_beams must be whole numbers of at least 1; found k={k!r}, num_beams={num_beams!r}."
            )
    if isinstance(queries, str | bytes) or not isinstance(queries, Sized):
        raise UsageError(
            f"queries: expected a list of texts, found {type(queries).__name__}; `search` takes one text."
        )
    for position, query in enumerate(queries):
        if not isinstance(query, str):
            raise UsageError(
                f"query {position}: expected text, found {type(query).__name__}; `search` takes one text, "
                "`batch_search` a list of texts."
            )
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
