"""A document: a title and sections, whatever markup it was written in. Knows text only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from genret.corpus.types import MetadataValue, Passage

__all__ = ["Document", "Outline", "Section", "anchor", "tidy"]

# Between a title and the headings below it.
BELOW = " > "
# What a heading's anchor leaves out: what is neither of a word, nor a hyphen, nor a space.
MARKS = re.compile(r"[^\w\- ]+")


class Section(NamedTuple):
    """A part of a document.

    `headings` leads from below the document's title to the section's own heading; empty for what stands under the
    title itself.
    """

    headings: tuple[str, ...]
    text: str

    @property
    def path(self) -> str:
        """The headings as one string; empty for what stands under the title."""
        return BELOW.join(self.headings)

    @property
    def whole(self) -> str:
        """The section's own heading and its text."""
        return "\n\n".join(part for part in (*self.headings[-1:], self.text) if part.strip())


class Document(NamedTuple):
    """What is split into passages."""

    document_id: str
    title: str
    sections: list[Section]
    metadata: Mapping[str, MetadataValue] = {}

    @property
    def passage(self) -> Passage:
        """The whole document as one passage; the headings stand in its text."""
        text = "\n\n".join(whole for section in self.sections if (whole := section.whole))
        return Passage(self.document_id, self.title, text, self.metadata)

    def title_of(self, section: Section) -> str:
        """The document's title and the section's headings."""
        return BELOW.join(part for part in (self.title, *section.headings) if part)


class Outline:
    """Sections as a reader comes upon their headings and blocks; where no title is given, the first heading is it."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self._is_first = True
        self._above: list[tuple[int, str]] = []
        self._sections: list[tuple[tuple[str, ...], list[str]]] = [((), [])]

    def heading(self, level: int, text: str) -> None:
        """A heading; a smaller level stands higher."""
        text = " ".join(text.split())
        if not text:
            return
        is_first, self._is_first = self._is_first, False
        if is_first and self.title in ("", text):
            self.title = text
            return
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        self._above.append((level, text))
        self._sections.append((tuple(heading for _, heading in self._above), []))

    def block(self, text: str, *, tight: bool = False) -> None:
        """A paragraph, a piece of code, or `tight` an item or a row, which stands on the line after the last."""
        blocks = self._sections[-1][1]
        if tight and blocks and text.strip():
            blocks[-1] += f"\n{text}"
        elif text.strip():
            blocks.append(text)

    def sections(self) -> list[Section]:
        """What was found; a part without a heading and without text is none."""
        found = [Section(headings, "\n\n".join(blocks)) for headings, blocks in self._sections]
        return [section for section in found if section.headings or section.text]


def anchor(heading: str) -> str:
    """A heading as the part of an address, as code hosts make it: small letters, hyphens for spaces."""
    return "-".join(MARKS.sub("", heading.lower()).split())


def tidy(text: str) -> str:
    """`text` with every run of white space as one space, line breaks kept."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
