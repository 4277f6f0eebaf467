"""Hyperlinks: who links to which passage, with the text around the anchor.

Knows two files: JSON lines of single links (`title` of the linking page, `mention`, `positive`, the linked
passage's id, and around the anchor `row_context`, `section`, `column`), and KILT's knowledge source, whose pages
have `anchors`. Texts lie in a temporary file, so that memory is some 60 bytes a link.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from docid.strings import Strings
from genret.corpus.formats.datafile import data_file
from genret.corpus.formats.records import Record, records
from genret.corpus.spool import StringColumn
from genret.errors import InputError
from genret.training.examples.sources.source import Material

__all__ = ["Link", "Links"]

IntArray = npt.NDArray[np.int64]
# A paragraph of KILT that is a heading or an item of a list starts with one of these.
KILT_MARKS = ("Section::::", "BULLET::::")
UNKNOWN = -1


class Link(NamedTuple):
    """One anchor.

    Attributes:
        page: the linking page, `UNKNOWN` where the corpus has none of that title.
        paragraph: the paragraph of that page, by number; `UNKNOWN` in a table.
        target: row of the linked passage.
        context: the paragraph or the table's row around the anchor, the anchor included.
        wide: the same with a paragraph before and one after, or with the page's title and the table's headings.
    """

    page: int
    paragraph: int
    target: int
    context: str
    wide: str


class Links:
    """The links of a file whose targets the corpus holds; link i by `self[i]`, a page's links by `of_page`.

    Raises:
        InputError: the file cannot be read, or none of its links leads to a passage of the corpus.
    """

    def __init__(self, path: str, material: Material) -> None:
        file = data_file(path) if path else None
        if file is None:
            raise InputError(
                "a source of hyperlinks needs `path`, a file of links or KILT's knowledge source."
            )
        numbers: tuple[array[int], ...] = (array("q"), array("q"), array("q"))
        columns = StringColumn(), StringColumn()
        for record in records(file):
            for link in _links(record, material):
                for numbers_of, value in zip(numbers, link[:3], strict=True):
                    numbers_of.append(value)
                for column, text in zip(columns, link[3:], strict=True):
                    column.append(text)
        pages, self._paragraphs, self.targets = (np.frombuffer(one, np.int64) for one in numbers)
        self._contexts, self._wide = (Strings(*column.finish()) for column in columns)
        if not len(self.targets):
            raise InputError(f"{path}: none of its links leads to a passage of the corpus.")
        self.pages: IntArray = pages
        self._by_page: IntArray = np.argsort(pages, kind="stable")
        self._sorted_pages = pages[self._by_page]

    @classmethod
    def of(cls, path: str, material: Material) -> Links:
        """The links of a file, read once."""
        if path not in material.opened:
            material.opened[path] = cls(path, material)
        links: Links = material.opened[path]
        return links

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> Link:
        return Link(
            int(self.pages[place]),
            int(self._paragraphs[place]),
            int(self.targets[place]),
            self._contexts[place],
            self._wide[place],
        )

    def of_page(self, page: int, first: int = 0, last: int | None = None) -> IntArray:
        """The rows that a page links to, from its paragraphs `first` to `last`; a table's links always count."""
        begin, end = np.searchsorted(self._sorted_pages, [page, page + 1])
        links = self._by_page[begin:end]
        paragraphs = self._paragraphs[links]
        kept = (paragraphs >= first) & (paragraphs <= (paragraphs.max(initial=0) if last is None else last))
        found: IntArray = self.targets[links[kept | (paragraphs == UNKNOWN)]]
        return found


def _links(record: Record, material: Material) -> Iterator[Link]:
    """The links of one line whose targets the corpus holds."""
    if "anchors" in record.content:
        yield from _kilt_links(record, material)
        return
    target = material.row(record.identifier("positive"))
    if target is not None:
        title, mention = record.text("title"), record.text("mention")
        row = " ; ".join(part for part in (mention, record.text("row_context", "")) if part)
        headings = (title, record.text("section", ""), record.text("column", ""))
        wide = " . ".join(part for part in (*headings, row) if part)
        page = material.pages.find(title)
        yield Link(UNKNOWN if page is None else page, UNKNOWN, target, row, wide)


def _kilt_links(record: Record, material: Material) -> Iterator[Link]:
    page = material.pages.find(record.text("wikipedia_title"))
    paragraphs, anchors = record.content.get("text"), record.content["anchors"]
    if not isinstance(paragraphs, list) or not isinstance(anchors, list):
        raise record.problem("anchors", "expected KILT's page: `text` and `anchors` are lists.")
    for anchor in anchors:
        number, linked = anchor.get("paragraph_id"), material.pages.find(_title(anchor.get("href", "")))
        if linked is None or not isinstance(number, int) or not 0 <= number < len(paragraphs):
            continue
        near = [_prose(one) for one in paragraphs[max(number - 1, 0) : number + 2]]
        target = int(material.pages.rows(linked)[0])
        yield Link(
            UNKNOWN if page is None else page, number, target, _prose(paragraphs[number]), " ".join(near)
        )


def _title(href: str) -> str:
    from urllib.parse import unquote

    return unquote(href).replace("_", " ")


def _prose(paragraph: str) -> str:
    for mark in KILT_MARKS:
        paragraph = paragraph.removeprefix(mark)
    return paragraph.strip()
