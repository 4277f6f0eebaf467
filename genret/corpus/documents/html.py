"""HTML as a title and sections: what a reader sees of the page's own content, without scripts, styles and navigation."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from genret.corpus.documents.document import Outline, tidy

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

__all__ = ["encoding", "inner_text", "outline"]

# What no reader reads as the page's content.
UNREAD = (
    "script, style, noscript, template, nav, footer, aside, svg, iframe, object, canvas, form button, select, textarea, "
    "a.headerlink, a.header-anchor, a.anchor-link, a.anchor, [hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=contentinfo], [role=search]"
)
MAIN = "main, [role=main]"
HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Elements that stand within a line.
INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "img",
        "ins",
        "kbd",
        "label",
        "mark",
        "math",
        "q",
        "rb",
        "rp",
        "rt",
        "rtc",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
        "-text",
    ]
)
# Elements that begin a line of their own in the block before.
TIGHT = frozenset(["li", "tr", "dt", "dd", "option"])
SPACE = re.compile(r"[ \t\n\r\f]+")
CELLS = frozenset(["td", "th"])
DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)
# So many bytes may stand before the declaration of an encoding.
DECLARED_WITHIN = 4096


def encoding(data: bytes) -> str | None:
    """The encoding that a page declares, where Python knows it."""
    found = DECLARED.search(data[:DECLARED_WITHIN])
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode()).name
    except LookupError:
        return None
    # As browsers do: a page that says so in ASCII is in neither, and what is called Latin-1 is its superset.
    return {"iso8859-1": "cp1252", "ascii": "cp1252", "utf-16": "utf-8", "utf-16-le": "utf-8"}.get(name, name)


def outline(text: str) -> Outline:
    """The sections of a page; its first heading is its title, or where it has none its `title`."""
    tree = _parsed(text)
    named = tree.css_first("title")
    found = Outline()
    _read(tree, found)
    if not found.title and named is not None:
        found.title = " ".join(named.text().split())
    return found


def inner_text(text: str) -> str:
    """What a reader sees of a piece of HTML."""
    found = Outline("-")
    _read(_parsed(text), found)
    return "\n\n".join(section.whole for section in found.sections())


def _parsed(text: str) -> LexborHTMLParser:
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(text)


def _read(tree: LexborHTMLParser, found: Outline) -> None:
    """Headings and blocks of the page's own content, in their order."""
    root = tree.css_first(MAIN) or tree.body
    if root is None:
        return
    block = _Block(found)
    unread = {node.mem_id for node in tree.css(UNREAD)}
    for node, begins in _steps(root, unread):
        tag = node.tag or ""
        if node.is_text_node:
            block.text(node.text_content or "" if begins else "")
        elif tag == "br":
            block.break_line(begins)
        elif tag == "img":
            block.text(node.attributes.get("alt") or "" if begins else "")
        elif tag in CELLS:
            block.cell(begins)
        elif tag not in INLINE:
            block.edge(tag, begins)
    block.edge("", False)


class _Block:
    """The text since the last beginning or end of a block."""

    def __init__(self, found: Outline) -> None:
        self._found = found
        self._parts: list[str] = []
        self._tight = False
        # Of an element within which white space stands as it is, how many are open.
        self._as_is = 0

    def text(self, text: str) -> None:
        self._parts.append(text if self._as_is else SPACE.sub(" ", text))

    def break_line(self, begins: bool) -> None:
        self._parts.append("\n" if begins else "")

    def cell(self, begins: bool) -> None:
        """A cell begins or ends; a mark stands between two of a row."""
        if begins and "".join(self._parts).strip():
            self._parts.append(" | ")

    def edge(self, tag: str, begins: bool) -> None:
        """An element that is a block, or a part of one, begins or ends: what stands before it is one."""
        text = "".join(self._parts)
        text = text.strip("\n") if self._as_is else tidy(text)
        if not begins and tag in HEADINGS:
            self._found.heading(HEADINGS[tag], text)
        else:
            self._found.block(text, tight=self._tight)
        self._parts, self._tight = [], begins and tag in TIGHT
        if tag == "pre":
            self._as_is = max(0, self._as_is + (1 if begins else -1))


def _steps(root: LexborNode, unread: Container[int]) -> Iterator[tuple[LexborNode, bool]]:
    """Every node below `root` as it begins and as it ends, but for what is `unread`, by its memory's address.

    No recursion: pages are nested at will.
    """
    node = root.first_child
    while node is not None:
        yield node, True
        if node.first_child is not None and node.mem_id not in unread:
            node = node.first_child
            continue
        while node is not None and node.next is None:
            yield node, False
            node = node.parent
            if node is None or node.mem_id == root.mem_id:
                return
        if node is not None:
            yield node, False
            node = node.next
