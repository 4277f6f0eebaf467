"""Docids that are text in the model's own vocabulary: titles, addresses, and plain numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, get_args
from urllib.parse import unquote

from docid.errors import InputError
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.strategies.spelling import Equal, first_number, spelled, token_rows
from docid.table import DocidTable

__all__ = ["String", "Title", "Url", "check_equal"]

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
HOST = re.compile(r"([^/?]*)(.*)", re.DOTALL)


@dataclass
class Title(Strategy):
    """The docid of a document is its title, with runs of white space (and NUL) as one space (GENRE, De Cao et al. 2021).

    A title that is empty, or of which the tokenizer leaves nothing, becomes `untitled <document number>`.
    With `equal="share"` documents with the same title (or titles that the tokenizer cannot tell apart) share a
    docid; with `equal="suffix"` the second becomes `<title> (2)`, and so on, until all differ as tokens.
    """

    name: ClassVar[str] = "title"
    reads: ClassVar[tuple[str, ...]] = ("titles",)
    equal: Equal = "share"

    def __post_init__(self) -> None:
        check_equal(self.equal)

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        return spelled(self.need(fields, "titles"), self.need_tokenizer(tokenize), taken, self.equal)


@dataclass
class Url(Strategy):
    """The docid of a document is its address: percent-decoded, without scheme, `www.`, fragment and final slash.

    As docids in Ultron (Zhou et al. 2022). Taken as text: what is no valid address keeps its letters, and an escape
    that is not UTF-8 stays one. Empty and equal addresses as in `Title`.
    """

    name: ClassVar[str] = "url"
    reads: ClassVar[tuple[str, ...]] = ("urls",)
    equal: Equal = "share"

    def __post_init__(self) -> None:
        check_equal(self.equal)

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        addresses = list(map(_address, self.need(fields, "urls")))
        return spelled(addresses, self.need_tokenizer(tokenize), taken, self.equal)


@dataclass
class String(Strategy):
    """The docid of a document is its number, spelled as text (the naively structured ids of DSI, Tay et al. 2022).

    With `digits` each digit is a new token of its own, `<d_0>` to `<d_9>`, and no tokenizer is needed.
    """

    name: ClassVar[str] = "string"
    digits: bool = False

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        first = first_number(taken, "")
        strings = [str(first + row) for row in range(fields.num_documents)]
        if not self.digits:
            return Docids(strings, token_rows(strings, self.need_tokenizer(tokenize)))
        tokens = [] if taken.new_tokens else [f"<d_{digit}>" for digit in range(10)]
        return Docids(strings, [[-1 - int(digit) for digit in string] for string in strings], tokens)


def _address(url: str) -> str:
    """An address by its letters alone: what no parser takes for an address is one here all the same."""
    path, _, query = url.strip().partition("#")[0].partition("?")
    address = f"{path}?{query}" if query else path
    scheme = SCHEME.match(address)
    text = address
    if scheme is not None:  # what stands before the first slash is a host
        host, rest = HOST.match(address, scheme.end()).groups()  # type: ignore[union-attr]  # it matches anything
        text = f"{host.lower().removeprefix('www.')}{rest}"
    text = text.rstrip("/")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:  # in another encoding: as it stands, so that different ones stay different
        return text


def check_equal(equal: str) -> None:
    if equal not in get_args(Equal):
        raise InputError(f"equal is {equal!r}; expected 'share' or 'suffix'.")
