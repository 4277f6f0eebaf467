"""Files of text as documents: one a file, named by its place, titled by its first heading or its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from genret.corpus.documents import html, markdown, rst
from genret.corpus.documents.document import Document, Outline
from genret.corpus.formats.content import encoding_hint
from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.metadata import flattened
from genret.corpus.tables.fields import tell_left
from genret.corpus.types import MetadataValue
from genret.errors import InputError

__all__ = ["html_document", "markdown_document", "plain_document", "rst_document"]

TITLE = "title"
EMPTY: Mapping[str, MetadataValue] = {}


def plain_document(file: DataFile) -> Iterator[Document]:
    """A text without markup; its title is the file's name.

    Raises:
        InputError: it cannot be read, is not UTF-8 or empty.
    """
    outline = Outline(file.stem)
    outline.block(file.text().strip("\n"))
    yield _outlined(file, outline)


def markdown_document(file: DataFile) -> Iterator[Document]:
    """A text in Markdown; the fields of its front matter are metadata.

    Raises:
        InputError: as `plain_document`, or its front matter cannot be read.
    """
    fields, text = markdown.front_matter(file.text(), file.label)
    title = fields.get(TITLE)
    outline = markdown.outline(
        text, file.label, " ".join(str(title).split()) if isinstance(title, str | int | float) else ""
    )
    own = {name: value for name, value in fields.items() if name != TITLE}
    yield _outlined(file, outline, _metadata(file, own))


def rst_document(file: DataFile) -> Iterator[Document]:
    """A text in reStructuredText.

    Raises:
        InputError: as `plain_document`, or its blocks are nested too deeply.
    """
    text = file.text()
    try:
        outline = rst.outline(text)
    except RecursionError as error:
        raise InputError(f"{file.label}: blocks are nested too deeply; write it flatter.") from error
    yield _outlined(file, outline)


def html_document(file: DataFile) -> Iterator[Document]:
    """A page; in the encoding that it declares, or else UTF-8.

    Raises:
        InputError: it cannot be read, or not in its encoding, or it has no text.
    """
    yield _outlined(file, html.outline(_decoded(file, file.content(html=True))))


def _decoded(file: DataFile, data: bytes) -> str:
    encoding = html.encoding(data) or "utf-8"
    if encoding == "utf-8":
        lines = data.splitlines(keepends=True)
        return "".join(file.decode(number, line) for number, line in enumerate(lines, 1))
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file.label}: declares the encoding {encoding}, and is not in it at byte {error.start + 1}: "
            f"{encoding_hint(data, error.start)}"
        ) from error


def _outlined(file: DataFile, outline: Outline, metadata: Mapping[str, MetadataValue] = EMPTY) -> Document:
    sections = outline.sections()
    if not sections and not outline.title:
        raise EmptyFileError(f"{file.label}: it has no text; write one, or take the file out.")
    return Document(file.document_id, outline.title or file.stem, sections, metadata)


def _metadata(file: DataFile, fields: Mapping[str, object]) -> dict[str, MetadataValue]:
    """The fields of front matter; dates as YAML writes them."""
    file.reach()
    plain = {name: _plain(value) for name, value in fields.items()}
    try:
        found, left = flattened(plain.items())
    except ValueError as error:
        raise InputError(
            f"{file.label}, front matter: {show(str(error))} stands there twice, once as a path; rename one of them."
        ) from error
    tell_left(file, set(left))
    return found


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return value if isinstance(value, str | int | float | list | None) else str(value)
