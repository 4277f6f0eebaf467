"""What a change does to the passages of a model: which come, which change and which go.

Knows passages and their rows; knows no model. Passages that stay keep their order, and those that are new or changed
come behind them, in the order in which they were given: what is found with equal scores comes in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from docid.ragged import IntArray
from genret.corpus.formats.datafile import show
from genret.corpus.store import PassageStore
from genret.corpus.types import Passage
from genret.errors import InputError, UsageError

__all__ = ["Change", "add_passages", "remove_passages", "update_passages"]

SHOWN = 3


@dataclass(frozen=True)
class Change:
    """A change of the passages of a store.

    Attributes:
        kept: the rows that stay, ascending, int64 [n].
        relabelled: passages of which nothing but the metadata changes, by their rows, which are among those kept.
        fresh: those that are new or have another title or text.
        added, changed, removed: the ids of the passages that come, change (in whatever) and go.
        split: how all texts are split afterwards, as `PassageStore.split`; None: as before.
    """

    kept: IntArray
    fresh: Sequence[Passage] = ()
    relabelled: Mapping[int, Passage] = field(default_factory=dict)
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
    split: str | None = None

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.added or self.changed or self.removed)

    def of(self, store: PassageStore) -> PassageStore:
        """All passages after the change, in their order.

        Raises:
            InputError: a field of metadata is of another type among those that are new.
        """
        made = store.changed(self.kept, self.fresh, self.relabelled)
        made.split = self.split or store.split
        return made

    def lines(self) -> list[str]:
        """What it does, for people."""
        parts = {"add": self.added, "change": self.changed, "remove": self.removed}
        told = [f"{what} {len(ids):,} ({_listed(ids)})" for what, ids in parts.items() if ids]
        return [*told, f"{len(self.kept) + len(self.fresh):,} passages afterwards"]


def add_passages(store: PassageStore, passages: Iterable[Passage]) -> Change:
    """Passages that the store has not.

    Raises:
        InputError: it has one of their ids, or pieces of one of them, two of them have one id, or one is empty.
    """
    fresh = PassageStore.build(_given(passages))
    _check_whole(store, range(len(store)), fresh)
    if known := [passage_id for passage_id in fresh.passage_ids if store.__contains__(passage_id)]:
        raise InputError(
            f"{_count(known)} in the model already: {_listed(known)}. Nothing was added; `update` changes passages, and "
            "`remove` takes them out."
        )
    return Change(np.arange(len(store)), fresh, added=list(fresh.passage_ids))


def remove_passages(store: PassageStore, passage_ids: Iterable[str]) -> Change:
    """Without the passages of these ids; naming one twice changes nothing.

    Raises:
        InputError: no passage has one of them. UsageError: they are one text.
    """
    if isinstance(passage_ids, str):  # whose letters may be ids
        raise UsageError(f"expected a list of passage ids, found the text {show(passage_ids)}.")
    ids = list(dict.fromkeys(passage_ids))
    if unknown := [passage_id for passage_id in ids if not store.__contains__(passage_id)]:
        raise InputError(f"{_count(unknown)} not in the model: {_listed(unknown)}. Nothing was removed.")
    gone = [store.row(passage_id) for passage_id in ids]
    return Change(np.setdiff1d(np.arange(len(store)), gone), removed=ids)


def update_passages(store: PassageStore, passages: Iterable[Passage]) -> Change:
    """What makes the store's passages those given, by id and content; a store that is given says how they were split.

    Raises:
        InputError: two of them have one id, or one is empty; or one is the whole of what the store has in pieces.
    """
    wanted = passages if isinstance(passages, PassageStore) else PassageStore.build(_given(passages))
    fresh, relabelled, added, changed = list[Passage](), dict[int, Passage](), list[str](), list[str]()
    kept = []
    for passage in wanted:
        if not store.__contains__(passage.passage_id):
            fresh.append(passage)
            added.append(passage.passage_id)
            continue
        row = store.row(passage.passage_id)
        known = store[row]
        same_text, same_fields = known[:3] == passage[:3], _fields(known) == _fields(passage)
        if same_text:
            kept.append(row)
        else:
            fresh.append(passage)
        if same_text and not same_fields:
            relabelled[row] = passage
        if not (same_text and same_fields):
            changed.append(passage.passage_id)
    removed = [passage_id for passage_id in store.passage_ids if not wanted.__contains__(passage_id)]
    _check_whole(store, map(store.row, removed), fresh)
    split = passages.split if isinstance(passages, PassageStore) else None
    return Change(np.sort(np.array(kept, np.int64)), fresh, relabelled, added, changed, removed, split)


def _check_whole(store: PassageStore, rows: Iterable[int], fresh: Iterable[Passage]) -> None:
    """Refuse whole documents in the place of their pieces: somebody forgot how they were split.

    Raises:
        InputError: a passage of `fresh` is the document that some of these rows are pieces of.
    """
    from genret.corpus.documents.pieces import DOCUMENT  # a search needs no splitting

    column = store.columns().get(DOCUMENT)
    in_pieces = set() if column is None else {column.value(row) for row in rows}
    whole = [
        one.passage_id
        for one in fresh
        if DOCUMENT not in one.metadata
        and one.passage_id in in_pieces
        and not store.__contains__(one.passage_id)
    ]
    if whole:
        raise InputError(
            f"the model has pieces of {show(whole[0])}, and the corpus the whole ({len(whole):,} such documents). Nothing was "
            "changed; split the corpus as it was when the model was made (--split; in Python, split= of CorpusOptions)."
        )


def _given(passages: Iterable[Passage]) -> Iterator[Passage]:
    """The same passages.

    Raises:
        UsageError: what is given is none.
    """
    if isinstance(passages, Passage):
        raise UsageError("expected a list of passages, found one; put it into a list.")
    for position, passage in enumerate(passages):
        if not isinstance(passage, Passage):
            raise UsageError(
                f"passage {position}: expected a genret.Passage(id, title, text), found {type(passage).__name__}."
            )
        for name, value in zip(Passage._fields[:3], passage[:3], strict=True):
            if not isinstance(value, str):
                raise UsageError(f"passage {position}, {name}: expected text, found {type(value).__name__}.")
        yield passage


def _fields(passage: Passage) -> dict[str, tuple[bool, object]]:
    """Its metadata as it is compared: to Python 1 and True are equal; 1 and 1.0, as a store keeps it, may be."""
    return {name: (isinstance(value, bool), value) for name, value in passage.metadata.items()}


def _count(ids: Sequence[str]) -> str:
    return "one passage is" if len(ids) == 1 else f"{len(ids):,} passages are"


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return ", ".join(map(show, ids[:SHOWN])) + more
