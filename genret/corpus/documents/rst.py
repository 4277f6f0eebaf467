"""reStructuredText as a title and sections, without its markup.

Nothing outside the text is read: files that it includes stay out. What docutils does not know (directives and roles
of Sphinx and others) is read by its content.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from genret.corpus.documents.document import Outline

if TYPE_CHECKING:
    from docutils import nodes

__all__ = ["outline"]

SETTINGS = {
    "report_level": 5,
    "halt_level": 6,
    "warning_stream": False,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "line_length_limit": 1 << 30,
    "_disable_config": True,
}
DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:.+-]+)::[ \t]*")
OPTION = re.compile(r"[ \t]*:[\w -]+:.*")
# An interpreted text: its role, what is shown, and where it leads.
ROLE = re.compile(r"(?::[\w:.+-]+:)?`[~!]?(.*?)(?:\s*<[^<>`]*>)?`(?::[\w:.+-]+:)?", re.DOTALL)
# Directives of Sphinx without a text of their own.
SILENT = frozenset(
    "toctree index highlight currentmodule module default-domain tabularcolumns sectionauthor codeauthor".split()
)


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
        from docutils.core import publish_doctree

        self._children(publish_doctree(text, settings_overrides=SETTINGS), level)

    def _children(self, element: nodes.Element, level: int) -> None:
        for child in element.children:
            self._node(child, level)

    def _node(self, node: nodes.Node, level: int) -> None:
        from docutils import nodes

        if isinstance(node, nodes.section):
            self._children(node, level + 1)
        elif isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
            self._found.heading(level, _shown(node))
        elif isinstance(node, nodes.system_message):
            self._unknown(node, level)
        elif isinstance(node, nodes.row):
            self._found.block(" | ".join(" ".join(_shown(cell).split()) for cell in node.children), tight=True)
        elif isinstance(node, nodes.image):
            self._found.block(node.get("alt", ""))
        elif isinstance(node, nodes.TextElement):
            self._found.block(_shown(node), tight=_is_item(node))
        elif isinstance(node, nodes.Element) and not isinstance(node, nodes.Invisible):
            self._children(node, level)

    def _unknown(self, message: nodes.system_message, level: int) -> None:
        """What a directive that docutils does not know holds; of any other message nothing."""
        from docutils import nodes

        for block in message.findall(nodes.literal_block):
            match = DIRECTIVE.match(block.astext())
            if match is None or match[1] in SILENT:
                continue
            arguments, _, body = block.astext()[match.end() :].partition("\n")
            self._found.block(arguments)
            lines = body.split("\n")
            while lines and OPTION.fullmatch(lines[0]):
                lines.pop(0)
            self.read(textwrap.dedent("\n".join(lines)), level)


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
