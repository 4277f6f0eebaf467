"""Docids that are text in the model's own vocabulary: titles, addresses, and plain numbers."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, get_args
from urllib.parse import unquote

from docid.errors import InputError
from docid.ragged import Ragged
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["Equal", "String", "Title", "Url", "check_equal", "spelled"]

SEPARATION_ROUNDS = 20
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
HOST = re.compile(r"([^/?]*)(.*)", re.DOTALL)
UNTITLED, MOST_DIGITS = "untitled ", 19
_log = logging.getLogger(__name__)
Equal = Literal["share", "suffix"]


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
        first = _first_number(taken, "")
        strings = [str(first + row) for row in range(fields.num_documents)]
        if not self.digits:
            return Docids(strings, self.need_tokenizer(tokenize)(strings))
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


def spelled(texts: Sequence[str], tokenize: Tokenize, taken: DocidTable, equal: Equal) -> Docids:
    """Docids that are the given texts; see `Title` for empty and equal ones."""
    stripped = [" ".join(text.replace("\0", " ").split()) for text in texts]
    first = _first_number(taken, UNTITLED)
    blank = [_untitled(first + row) for row in range(len(texts))]
    strings = [text or blank[row] for row, text in enumerate(stripped)]
    sequences = tokenize(strings)
    respell(
        strings, sequences, {row: blank[row] for row, tokens in enumerate(sequences) if not tokens}, tokenize
    )
    warn_of_alike(strings, sequences)
    if equal == "suffix":
        separate(strings, sequences, tokenize, taken)
    return Docids(strings, sequences)


def warn_of_alike(strings: Sequence[str], sequences: Sequence[Sequence[int]]) -> None:
    """Say how many different spellings the tokenizer makes one docid of: no search can tell their documents apart."""
    spellings: dict[tuple[int, ...], set[str]] = {}
    for string, sequence in zip(strings, sequences, strict=True):
        spellings.setdefault(tuple(sequence), set()).add(string)
    alike = [sorted(group) for group in spellings.values() if len(group) > 1]
    if not alike:
        return
    count, total = sum(map(len, alike)), len(set(strings))
    one, other, *_ = max(alike, key=len)
    _log.warning(
        "%d of %d different docid texts (%.1f%%) have the tokens of another, %r those of %r: the tokenizer's vocabulary "
        "lacks their characters, and a search can only rank their documents by chance. Use a tokenizer that knows them, "
        "or a strategy that spells no text: residual, semantic or atomic.",
        count,
        total,
        100 * count / total,
        one[:80],
        other[:80],
    )


def separate(strings: list[str], sequences: list[list[int]], tokenize: Tokenize, table: DocidTable) -> None:
    """Add ` (2)`, ` (3)`, ... in place to all but the first of the rows that are equal as tokens, those of `table` first."""
    taken = {*strings, *table.docids(range(table.num_documents))}
    given = _distinct(table.sequences)
    # Counted by what the tokenizer reads: `High School (2)` and `High school (2)` may be one docid to it.
    counts: dict[tuple[int, ...], int] = {}

    def next_spelling(text: str, tokens: tuple[int, ...]) -> str:
        while True:
            counts[tokens] = counts.get(tokens, 1) + 1
            spelling = f"{text} ({counts[tokens]})"
            if spelling not in taken:
                taken.add(spelling)
                return spelling

    stems: dict[int, tuple[str, tuple[int, ...]]] = {}
    for _ in range(SEPARATION_ROUNDS):
        later = _later_equals(sequences, given)
        if not later:
            return
        for row in later:
            stems.setdefault(row, (strings[row], tuple(sequences[row])))
        respell(strings, sequences, {row: next_spelling(*stems[row]) for row in later}, tokenize)
    row = later[0]
    raise InputError(
        f"row {row}: the tokenizer cannot tell {strings[row]!r:.200} from another docid; its vocabulary lacks the "
        "digits or the brackets of the suffix. Use equal='share' or another tokenizer."
    )


def _distinct(sequences: Ragged) -> set[tuple[int, ...]]:
    flat = sequences.values.tolist()
    return {tuple(flat[begin:end]) for begin, end in pairwise(sequences.offsets.tolist())}


def _later_equals(sequences: Sequence[Sequence[int]], given: set[tuple[int, ...]]) -> list[int]:
    """The rows whose sequence is given already, or is that of a row before them."""
    seen = set(given)
    later = []
    for row, sequence in enumerate(map(tuple, sequences)):
        if sequence in seen:
            later.append(row)
        seen.add(sequence)
    return later


def respell(
    strings: list[str], sequences: list[list[int]], spellings: dict[int, str], tokenize: Tokenize
) -> None:
    """Give the rows of `spellings` other strings, in place, and tokenise them."""
    if not spellings:
        return
    for row, sequence in zip(spellings, tokenize(list(spellings.values())), strict=True):
        strings[row], sequences[row] = spellings[row], sequence


def _untitled(row: int) -> str:
    return f"{UNTITLED}{row}"


def _first_number(taken: DocidTable, prefix: str) -> int:
    """The number of the next document, or the first that no docid has behind `prefix`: some may have been taken out."""
    docids = taken.docids(range(taken.num_documents))
    ends = (docid.removeprefix(prefix) for docid in docids if docid.startswith(prefix))
    numbers = (int(end) for end in ends if end.isascii() and end.isdecimal() and len(end) < MOST_DIGITS)
    return max(taken.num_documents, *(number + 1 for number in numbers), 0)
