"""reStructuredText as a title and sections, without its markup.

Nothing outside the text is read: files that it includes stay out. What docutils does not know (directives and roles
of Sphinx and others) is read by its content.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache
from typing import TYPE_CHECKING

from genret.corpus.documents.document import Outline

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.frontend import Values

__all__ = ["outline"]

SETTINGS: dict[str, object] = {
    # Messages stay in the document, none is printed, none ends the reading.
    "report_level": 5,
    "halt_level": 6,
    "warning_stream": False,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "syntax_highlight": "none",
    "line_length_limit": 1 << 30,
}
DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:.+-]+)::[ \t]*")
OPTION = re.compile(r"[ \t]*:[\w -]+:.*")
# The level from which on a message stands for what was not read.
ERROR = 3
# An interpreted text: its role, what is shown, and where it leads.
ROLE = re.compile(r"(?::[\w:.+-]+:)?`[~!]?(.*?)(?:\s*<[^<>`]*>)?`(?::[\w:.+-]+:)?", re.DOTALL)
# Directives without a text of their own, and those that are not followed.
SILENT = frozenset(
    [
        "toctree",
        "index",
        "highlight",
        "currentmodule",
        "module",
        "default-domain",
        "tabularcolumns",
        "sectionauthor",
        "codeauthor",
        "include",
        "raw",
        "literalinclude",
        "csv-table",
        "figure",
        "image",
    ]
)
CODE = frozenset(["code", "code-block", "sourcecode", "parsed-literal", "math"])


def outline(text: str) -> Outline:
    """The sections of a text; its first heading is its title."""
    found = Outline()
    _Reader(found).read(text)
    return found


class _Reader:
    def __init__(self, found: Outline) -> None:
        self._found = found

    def read(self, text: str, level: int = 0) -> None:
        """All of a text; its headings are `level` below its own."""
        from docutils.parsers.rst import Parser
        from docutils.utils import new_document

        # Parsed only: nothing of what docutils would do afterwards changes what a reader sees.
        document = new_document("text", _settings())
        Parser().parse(text, document)
        self._children(document, level)

    def _children(self, element: nodes.Element, level: int) -> None:
        for child in element.children:
            self._node(child, level)

    def _node(self, node: nodes.Node, level: int) -> None:
        from docutils import nodes

        is_contents = isinstance(node, nodes.topic) and "contents" in node["classes"]
        if is_contents or isinstance(node, nodes.Invisible):
            return
        if isinstance(node, nodes.section):
            self._children(node, level + 1)
        elif isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
            self._found.heading(level, _shown(node))
        elif isinstance(node, nodes.system_message):
            self._unknown(node, level)
        elif isinstance(node, nodes.row):
            cells = (" ".join(_shown(cell).split()) for cell in node.children)
            self._found.block(" | ".join(cells), tight=node.parent.index(node) > 0)
        elif isinstance(node, nodes.image):
            self._found.block(node.get("alt", ""))
        elif isinstance(node, nodes.TextElement):
            self._found.block(_shown(node), tight=_is_item(node))
        elif isinstance(node, nodes.Element):
            self._children(node, level)

    def _unknown(self, message: nodes.system_message, level: int) -> None:
        """What docutils could not read: of a directive its content, of anything else its source."""
        from docutils import nodes

        for block in message.findall(nodes.literal_block) if message["level"] >= ERROR else ():
            match = DIRECTIVE.match(block.astext())
            if match is None:
                self._found.block(block.astext())
            elif match[1] not in SILENT:
                self._directive(match[1], block.astext()[match.end() :], level)

    def _directive(self, name: str, source: str, level: int) -> None:
        arguments, _, body = source.partition("\n")
        lines = body.split("\n")
        while lines and OPTION.fullmatch(lines[0]):
            lines.pop(0)
        content = textwrap.dedent("\n".join(lines))
        if name in CODE:
            self._found.block(content.strip("\n"))
        else:
            self._found.block(arguments)
            self.read(content, level)


@cache
def _settings() -> Values:
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser

    settings = get_default_settings(Parser)
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    return settings


def _is_item(node: nodes.TextElement) -> bool:
    """Whether a paragraph is all of a list's item."""
    from docutils import nodes

    return isinstance(node.parent, nodes.list_item) and len(node.parent.children) == 1


def _shown(node: nodes.Node) -> str:
    """What a reader sees of a node."""
    from docutils import nodes

    parts = []
    for leaf in node.findall(nodes.Text):
        known = not isinstance(leaf.parent, nodes.problematic)
        parts.append(leaf.astext() if known else ROLE.sub(r"\1", leaf.astext()))
    literal = isinstance(node, nodes.literal_block | nodes.line_block | nodes.doctest_block)
    text = "".join(parts)
    return text if literal else " ".join(text.split())
