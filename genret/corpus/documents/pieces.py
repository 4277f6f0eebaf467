"""Documents into passages, each of which says which document and which section it is of.

A document in one piece is a passage with the document's own id. Otherwise a passage is `<document>#<place>`: the
anchor of its section's heading, the number of the piece, or both (`guide.md#install`, `guide.md#install.2`, `row7#2`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count

from genret.corpus.corpus_options import Split
from genret.corpus.documents.document import Document, Section, anchor
from genret.corpus.formats.datafile import DataFile, show
from genret.corpus.formats.records import NOWHERE, Unique
from genret.corpus.split import Unit, sentences, split_paragraphs
from genret.corpus.types import MetadataValue, Passage
from genret.errors import InputError

__all__ = ["DOCUMENT", "MARK", "SECTION", "in_pieces"]

# The fields of metadata that lead back; they are there where a corpus was split.
DOCUMENT, SECTION = "document", "section"
MARK = "#"


def in_pieces(found: Iterable[Passage | Document], split: Split) -> Iterator[Passage]:
    """The passages of documents; what is a passage already is split as a document of one section.

    Raises:
        InputError: it is to be split, and has a field that leads back to documents already, or an id that a piece of
            another has.
    """
    if split.unit == "none":
        yield from (one.passage if isinstance(one, Document) else one for one in found)
        return
    unique = _Apart("passage")
    for one in found:
        for piece in _pieces(one if isinstance(one, Document) else _document(one), split):
            unique.count += 1
            unique.add(NOWHERE, unique.count, "id", piece.passage_id)
            yield piece
    unique.finish(NOWHERE)


class _Apart(Unique):
    """Refuses the id of a document that reads as that of another's piece; passages are numbered."""

    count = 0

    def _repeated(self, file: DataFile, line: int, what: str, first: int) -> InputError:
        return InputError(
            f"passages {first} and {line} of the split corpus{what} would be the id of both: of a document, and of a piece of "
            "another, whose ids are made with '#'; rename the document."
        )


def _document(passage: Passage) -> Document:
    return Document(passage.passage_id, passage.title, [Section((), passage.text)], passage.metadata)


def _pieces(document: Document, split: Split) -> Iterator[Passage]:
    name = document.document_id
    taken = next((field for field in (DOCUMENT, SECTION) if field in document.metadata), None)
    if taken is not None:
        raise InputError(
            f"document {show(name)}: it has a field {taken!r}, which is where a split corpus says what a passage is of; "
            "rename the field, or leave --split out."
        )
    places: set[str] = set()
    found = [(section, _texts(section.text, split)) for section in _told(document.sections)]
    is_whole = sum(len(texts) for _, texts in found) == 1
    for section, texts in found:
        metadata: dict[str, MetadataValue] = {**document.metadata, DOCUMENT: name}
        if section.headings:
            metadata[SECTION] = section.path
        for place, text in zip(_places(section, len(texts), places), texts, strict=True):
            passage_id = name if is_whole else f"{name}{MARK}{place}"
            yield Passage(passage_id, document.title_of(section), text, metadata)


def _told(sections: list[Section]) -> list[Section]:
    """The sections that say anything: those with text, and headings that no section below them repeats."""
    headings = [one.headings for one in sections] + [()]
    told = [
        one
        for one, after in zip(sections, headings[1:], strict=True)
        if one.text.strip() or (one.headings and after[: len(one.headings)] != one.headings)
    ]
    # A title without text is a passage, too.
    return told or [Section((), "")]


def _texts(text: str, split: Split) -> list[str]:
    if split.unit == "sections" or not text.strip():
        return [text]
    if split.words is None:
        return sentences(text)
    by: Unit = "sentences" if split.unit == "sentences" else "words"
    return [piece.text for piece in split_paragraphs([text], split.words, by=by)]


def _places(section: Section, pieces: int, taken: set[str]) -> list[str]:
    """What the ids of a section's `pieces` end in: none twice in a document; they are added to `taken`."""
    named = anchor(section.headings[-1]) if section.headings else ""
    if not named:
        return [_free(str(number), taken) for number in range(1, pieces + 1)]
    place = _free(named, taken)
    return [place] if pieces == 1 else [f"{place}.{number}" for number in range(1, pieces + 1)]


def _free(place: str, taken: set[str]) -> str:
    """`place`, or where it was given before `place-1`, `place-2`, ..."""
    free = next(one for one in chain([place], (f"{place}-{n}" for n in count(1))) if one not in taken)
    taken.add(free)
    return free
