"""Which fields of a record are its id, its title and its text; all others are metadata."""

from __future__ import annotations

import logging
import math
from collections.abc import Container, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from genret.corpus.corpus_options import CorpusOptions
from genret.corpus.formats.columns import CORPUS, plain_name
from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import Record, Unique
from genret.corpus.metadata import flattened
from genret.corpus.types import MetadataValue, Passage
from genret.errors import InputError

__all__ = ["FieldNames", "field_value", "metadata_of", "passages_of", "tell_left"]

_log = logging.getLogger(__name__)

# What is taken first where several fields have usual names.
FIRST = {"id": ("_id", "id"), "title": ("title",), "text": ("text",)}
# BEIR's place for what a passage says of itself.
METADATA = "metadata"
# So many of the fields that are left out are named.
LEFT_NAMED = 10


class FieldNames(NamedTuple):
    """The fields that are meant, by name or dotted path; `id` None: rows are numbered."""

    id: str | None
    title: str | None
    text: str | None

    @classmethod
    def of(cls, record: Record, options: CorpusOptions) -> FieldNames:
        """Those of a file, by its first record.

        Raises:
            InputError: one that was named is not there, no text is found, or several fields could be one.
        """
        names = list(record.content)
        for option in ("id", "title", "text"):
            named = getattr(options, option)
            if named is not None and field_value(record, named, _MISSING) is _MISSING:
                raise _problem(record, f"no field {show(named)}, which --{option} names; {_there(names)}")
        found = cls(
            options.id or _usual(record, "id", names),
            options.title or _usual(record, "title", names),
            options.text or _usual(record, "text", names),
        )
        # A text under another name must not be lost.
        others = any(isinstance(value, str) for name, value in record.content.items() if name not in found)
        if found.text is None and (found.title is None or others):
            listed = ", ".join(sorted(CORPUS["text"]))
            raise _problem(
                record, f"no field is the text (none of {listed}); name it with --text. {_there(names)}"
            )
        return found

    def passage(self, record: Record, passage_id: str, left: set[str]) -> Passage | None:
        """The passage of a record; None where title and text are both blank and such are left out.

        What else it has is metadata; the names of what is not kept are added to `left`.

        Raises:
            LineError: a field is wrong, or both are blank.
        """
        title, text = _text(record, self.title), _text(record, self.text)
        if not title.strip() and not text.strip():
            record.file.add_blank(record.line, passage_id)
            return None
        return Passage(passage_id, title, text, metadata_of(record, self, left))


_MISSING = object()


def passages_of(file: DataFile, found: Iterable[Record]) -> Iterator[Passage]:
    """The passages of a file's records; without a field of ids, `<file>#<number>` names each.

    Raises:
        InputError: as `FieldNames.of` and `FieldNames.passage`, or two have one id.
    """
    unique, count, left = Unique("passage"), 0, set[str]()
    records = iter(found)
    first = next(records, None)
    names = FieldNames.of(first, file.options) if first is not None else None
    for record in chain([first] if first is not None else [], records):
        assert names is not None
        if names.id is None:
            passage_id = f"{file.document_id}#{record.line}"
        else:
            passage_id = unique.check(Record(file, record.line, _with_id(record, names.id)), names.id)
        passage = names.passage(record, passage_id, left)
        if passage is not None:
            yield passage
            count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(
            f"{file.label}: it has no passage; expected records with an id, a title and a text."
        )
    if names is not None and names.id is None:
        _log.warning(
            f"{file.label}: no field is an id: a passage's id is its number. Name a field with --id."
        )
    tell_left(file, left)


def metadata_of(record: Record, own: Container[str | None], left: set[str]) -> dict[str, MetadataValue]:
    """The fields of a record beside its `own`, by dotted paths; BEIR's `metadata` holds such fields.

    The names of what is not kept are added to `left`.

    Raises:
        LineError: two fields have one path.
    """
    record.file.reach(record.line)
    inner = record.content.get(METADATA)
    more = inner if isinstance(inner, dict) else {METADATA: inner}
    others = [(name, value) for name, value in record.content.items() if name not in own and name != METADATA]
    try:
        found, not_kept = flattened([*others, *more.items()])
    except ValueError as error:
        raise record.problem(
            str(error), "stands there twice, once as a path; give one of them another name."
        ) from error
    endless = next((path for path, value in found.items() if value in (math.inf, -math.inf)), None)
    if endless is not None:
        raise record.problem(endless, f"expected a number, found {show(found[endless])}; write it otherwise.")
    left.update(path for path in not_kept if path not in own)
    return {path: value for path, value in found.items() if path not in own}


def tell_left(file: DataFile, left: set[str]) -> None:
    """Say in the log which fields are no metadata, if any are."""
    if left:
        names = ", ".join(map(show, sorted(left)[:LEFT_NAMED])) + (", ..." if len(left) > LEFT_NAMED else "")
        _log.warning(
            f"{file.label}: no metadata are {names}: lists of other things than texts, or without a name."
        )


def field_value(record: Record, path: str, default: object = None) -> object:
    """A field by its name, or else by a path of names with dots between them."""
    content: object = record.content
    if path in record.content:
        return record.content[path]
    for name in path.split("."):
        if not isinstance(content, dict) or name not in content:
            return default
        content = content[name]
    return content


def _with_id(record: Record, path: str) -> dict[str, object]:
    """The record's content with its id beside it, by the path that leads to it."""
    value = field_value(record, path, _MISSING)
    return record.content if value is _MISSING else {**record.content, path: value}


def _text(record: Record, path: str | None) -> str:
    """A text, which may be missing, null or a list of paragraphs."""
    value = None if path is None else field_value(record, path)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\n\n".join(value)
    return Record(record.file, record.line, {str(path): value}).text(str(path), default="")


def _usual(record: Record, role: str, names: list[str]) -> str | None:
    """The field that has a usual name of a role.

    Raises:
        InputError: several have, and none is the first choice.
    """
    found = [name for name in names if plain_name(name) in CORPUS[role]]
    first = next((name for name in FIRST[role] if name in found), None)
    if first is None and len(found) > 1:
        listed = " and ".join(map(show, found))
        raise _problem(record, f"{listed} could each be the {role}; name one with --{role}.")
    return first or next(iter(found), None)


def _there(names: list[str]) -> str:
    return f"There are: {', '.join(map(show, names)) or 'none'}."


def _problem(record: Record, text: str) -> InputError:
    # No complaint about one line: without the names no line can be read.
    return InputError(f"{record.file.label}, {record.file.unit} {record.line}: {text}")
