"""Where the passages of a corpus are: which files of the places that are named, of which format each.

A folder or an archive is a corpus in BEIR's layout, BoolQ's files, or a table that `datasets` saved; else all the
documents in it; and where it has none, or only such as say what is there (a README), all its files of records.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from genret.corpus.corpus_options import AS_IS
from genret.corpus.documents.folder import LeftOut, files_below
from genret.corpus.formats import arrow, boolq, irds, registry
from genret.corpus.formats.datafile import DataFile, data_file, find_file, list_files
from genret.corpus.recognition import DOCUMENTS, TABLES, TEXTS
from genret.corpus.standard_input import as_text
from genret.errors import InputError, UsageError

__all__ = [
    "BOOLQ",
    "IRDS",
    "Place",
    "PlaceName",
    "Source",
    "Sources",
    "find_sources",
    "no_file",
    "one_place",
    "places_of",
    "shown",
]

PlaceName: TypeAlias = str | os.PathLike[str]
Place: TypeAlias = PlaceName | Sequence[PlaceName]

IRDS, BOOLQ = "irds", "boolq"
# Of which no field is named: documents, and published layouts.
WITHOUT_FIELDS = frozenset(
    [
        IRDS,
        BOOLQ,
        *DOCUMENTS.values(),
        "text-corpus",
        "beir-corpus",
        "dpr-corpus",
        "msmarco-corpus",
        "kilt-corpus",
    ]
)


class Source(NamedTuple):
    """One file, or one foreign collection, and the name of its format."""

    file: DataFile
    form: str


class Sources(NamedTuple):
    """All that is read, in order, and what is not."""

    found: list[Source]
    left_out: list[LeftOut]


def places_of(place: Place) -> list[PlaceName]:
    """The places that are named, one or several.

    Raises:
        UsageError: none is.
    """
    places = [place] if isinstance(place, str | os.PathLike) else list(place)
    if not places:
        raise UsageError("no corpus is named; name a folder or a file, or - for standard input.")
    return places


def one_place(place: Place, what: str) -> PlaceName:
    """The one place that is named, where `what` is looked for beside the corpus.

    Raises:
        UsageError: several are.
    """
    places = places_of(place)
    if len(places) > 1:
        raise UsageError(f"several places are named as the corpus ({shown(place)}): name the {what} as well.")
    return places[0]


def shown(place: Place) -> str:
    """The places, as complaints name them."""
    return ", ".join(as_text(Path(one)) for one in places_of(place))


def kind_of(source: Source) -> str:
    """What a source holds: corpus, queries, judgements or run."""
    return "corpus" if source.form in (IRDS, BOOLQ) else registry.find_format(source.form).kind


def is_corpus(place: Place, like: DataFile, to: str | None) -> bool:
    """Whether places are read as a corpus: several, a folder, a file that looks like one, or like nothing else.

    `to` is the kind of what is made of it, where that is known.

    Raises:
        InputError: there is nothing.
    """
    places = places_of(place)
    if irds.is_identifier(places[0]) or arrow.holds(places[0]):
        return True
    file = data_file(places[0])
    if to not in (None, "corpus"):
        return False
    if len(places) > 1 or file is None or replace(like.options, skip_empty=False) != AS_IS:
        return True
    kinds = {registry.find_format(name).kind for name in registry.fitting(file)}
    return kinds == {"corpus"} or (to == "corpus" and len(kinds) != 1)


def find_sources(place: Place, like: DataFile, form: str | None = None) -> Sources:
    """What is read as a corpus; `like` has the options of all its files, `form` is their format where that is named.

    Raises:
        InputError: a place does not exist, or nothing there is a corpus.
        UsageError: fields are named, and nothing there has any.
    """
    places = places_of(place)
    parts = [_sources(one, like, form) for one in places]
    found = [source for part in parts for source in part.found]
    if like.options.names_fields and all(source.form in WITHOUT_FIELDS for source in found):
        raise UsageError(
            f"{shown(place)}: --id, --title and --text name fields of records (CSV, TSV, JSON, Parquet, Arrow); this is "
            f"{', '.join(dict.fromkeys(source.form for source in found))}."
        )
    if len(places) > 1:
        found = _named_apart(found)
    return Sources(found, [left for part in parts for left in part.left_out])


def _sources(place: PlaceName, like: DataFile, named: str | None) -> Sources:
    path = Path(place)

    def source(file: DataFile, form: str | None = None) -> Source:
        file = replace(
            file, blanks=like.blanks, one_word=like.one_word, options=like.options, reached=like.reached
        )
        return Source(file, named or form or registry.format_of(file, "corpus"))

    if irds.is_identifier(place):
        return Sources([source(DataFile(path), IRDS)], [])
    if arrow.holds(place):
        return Sources([source(DataFile(path))], [])
    file = data_file(place) or find_file(path, "corpus.jsonl")
    if file is not None:
        return Sources([source(file)], [])
    if boolq.holds(path):
        return Sources([source(DataFile(path), BOOLQ)], [])
    files, left = files_below(path)
    texts = [one for one in files if one.suffix in DOCUMENTS or one.suffix in TEXTS]
    tables = [one for one in files if one.suffix in TABLES]
    known = (*DOCUMENTS, *TEXTS, *TABLES)
    others = [one for one in files if one.suffix not in known]
    left += [LeftOut(one.label, "no format is known by its name") for one in others]
    if tables and all(one.stem.lower() in ABOUT for one in texts):
        left += [LeftOut(one.label, "about the records beside it") for one in texts]
        texts = []
    if texts:
        left += [LeftOut(one.label, TABLE) for one in tables]
        found = [source(one, DOCUMENTS.get(one.suffix, "text-corpus")) for one in texts]
        return Sources(found, left)
    if not tables:
        raise no_file(path, "corpus.jsonl", f", nor a file whose name ends in {', '.join(known)}")
    return Sources([source(one) for one in tables], left)


# Texts that say what is in a folder of records, and are not in it.
ABOUT = frozenset(["readme", "license", "licence", "notice", "changelog", "citation", "contributing"])
TABLE = "records among documents, read where they are named themselves"


def _named_apart(found: list[Source]) -> list[Source]:
    """Files of several places are named by their paths below the folder that all are in."""
    paths = [source.file.path.absolute() for source in found if not source.file.is_standard_input]
    if not paths:
        return found
    common = Path(os.path.commonpath([path.parent for path in paths]))
    named = []
    for source in found:
        file = source.file
        if not file.is_standard_input:
            below = file.path.absolute().relative_to(common).as_posix()
            file = replace(file, name=below if file.member is None else f"{below}/{file.member}")
        named.append(Source(file, source.form))
    return named


def no_file(place: Path, name: str, more: str = "") -> InputError:
    """The complaint that a folder or an archive holds no file of this name, nor BoolQ's, nor `more`."""
    names = list_files(place)
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "nothing"
    return InputError(
        f"{place}: no {name} (plain, .gz or .zst), nor BoolQ's train.jsonl and dev.jsonl{more}; it holds {listed}."
    )
