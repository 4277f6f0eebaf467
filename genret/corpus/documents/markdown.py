"""Markdown (CommonMark, with tables and strikethrough) as a title and sections, without its markup.

Front matter in YAML (`---`) or TOML (`+++`) is metadata; its `title` is the document's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genret.config import parse_yaml
from genret.corpus.documents.document import Outline
from genret.corpus.documents.html import inner_text
from genret.errors import InputError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["front_matter", "outline"]

FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
# How fields begin; a text between two rules begins otherwise.
FIELD = re.compile(r"""\s*(#.*\n\s*)*(\Z|[\w-]+[ \t]*[:=]|["'])""")
# Blocks within blocks; the parser itself drops what is nested deeper.
DEEPEST = 100
# What converters take for the attributes of a heading: {#anchor}, {.class}, {: ...}.
ATTRIBUTES = re.compile(r"\s*\{[#.:][^{}]*\}\s*$")
BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def front_matter(text: str, label: str) -> tuple[dict[str, Any], str]:
    """The fields that a text begins with, and the rest of the text; no field where it begins with none.

    Raises:
        InputError: what stands between the marks is neither fields nor text.
    """
    match = FRONT.match(text)
    if match is None or FIELD.match(match[2]) is None:
        return {}, text
    where, rest = f"{label}, front matter", text[match.end() :]
    if match[1] == "---":
        fields = parse_yaml(match[2], where)
        is_text = not isinstance(fields, dict) and match[2].strip()
        return ({}, text) if is_text else (fields or {}, rest)
    try:
        return tomllib.loads(match[2]), rest
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {error}.") from error


def outline(text: str, label: str, title: str = "") -> Outline:
    """The sections of a Markdown text without front matter; `title` where that gave one.

    Raises:
        InputError: its blocks are nested too deeply.
    """
    found = Outline(title)
    tokens = _parser().parse(text)
    if any(token.level >= DEEPEST - 1 for token in tokens):
        raise InputError(f"{label}: blocks are nested deeper than {DEEPEST} levels; write it flatter.")
    cells: list[str] = []
    opened: Token | None = None
    for token in tokens:
        if token.type == "inline":
            line = _inline(token.children or [])
            if opened is not None and opened.type == "heading_open" and opened.level == 0:
                found.heading(int(opened.tag[1:]), ATTRIBUTES.sub("", line))
            elif opened is not None and opened.type in ("th_open", "td_open"):
                cells.append(line)
            else:
                found.block(line, tight=opened is not None and opened.hidden)
        elif token.type == "tr_close":
            found.block(" | ".join(cells), tight=token.level > 1)
            cells = []
        elif token.type in ("fence", "code_block"):
            found.block(token.content.strip("\n"))
        elif token.type == "html_block":
            found.block(inner_text(token.content))
        opened = token
    return found


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": DEEPEST}).enable(["table", "strikethrough"])


def _inline(children: Sequence[Token]) -> str:
    """What a reader sees of a line of text; an image is its description."""
    parts = []
    for child in children:
        if child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak" or (child.type == "html_inline" and BREAK.fullmatch(child.content)):
            parts.append("\n")
        elif child.type == "image":
            parts.append(_inline(child.children or []))
        elif child.type != "html_inline":
            parts.append(child.content)
    return "".join(parts)
