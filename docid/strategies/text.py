"""Docids that are text in the model's own vocabulary: titles, and plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from docid.errors import InputError
from docid.strategies.base import DocumentFields, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["String", "Title"]

SEPARATION_ROUNDS = 20
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
        if self.equal not in get_args(Equal):
            raise InputError(f"equal is {self.equal!r}; expected 'share' or 'suffix'.")

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        tokenize = self.need_tokenizer(tokenize)
        titles = [" ".join(title.replace("\0", " ").split()) for title in self.need(fields, "titles")]
        strings = [title or _untitled(row) for row, title in enumerate(titles)]
        sequences = tokenize(strings)
        blank = [row for row, sequence in enumerate(sequences) if not sequence]
        _respell(strings, sequences, {row: _untitled(row) for row in blank}, tokenize)
        if self.equal == "suffix":
            separate(strings, sequences, tokenize)
        return DocidTable.build(strings, sequences)


@dataclass
class String(Strategy):
    """The docid of a document is its number, spelled as text (the naively structured ids of DSI, Tay et al. 2022)."""

    name: ClassVar[str] = "string"

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        strings = [str(row) for row in range(fields.num_documents)]
        return DocidTable.build(strings, self.need_tokenizer(tokenize)(strings))


def separate(strings: list[str], sequences: list[list[int]], tokenize: Tokenize) -> None:
    """Add ` (2)`, ` (3)`, ... in place to all but the first of the rows that have equal strings or sequences."""
    taken = set(strings)
    counts: dict[str, int] = {}

    def next_spelling(text: str) -> str:
        while True:
            counts[text] = counts.get(text, 1) + 1
            spelling = f"{text} ({counts[text]})"
            if spelling not in taken:
                taken.add(spelling)
                return spelling

    stems = list(strings)
    for _ in range(SEPARATION_ROUNDS):
        later = _later_equals(sequences)
        if not later:
            return
        _respell(strings, sequences, {row: next_spelling(stems[row]) for row in later}, tokenize)
    row = later[0]
    raise InputError(
        f"row {row}: the tokenizer cannot tell {strings[row]!r:.200} from another docid; its vocabulary lacks the "
        "digits or the brackets of the suffix. Use equal='share' or another tokenizer."
    )


def _later_equals(sequences: Sequence[Sequence[int]]) -> list[int]:
    """The rows whose sequence a row before them has."""
    first: dict[tuple[int, ...], int] = {}
    return [row for row, sequence in enumerate(sequences) if first.setdefault(tuple(sequence), row) != row]


def _respell(
    strings: list[str],
    sequences: list[list[int]],
    spellings: dict[int, str],
    tokenize: Callable[..., list[list[int]]],
) -> None:
    if not spellings:
        return
    for row, sequence in zip(spellings, tokenize(list(spellings.values())), strict=True):
        strings[row], sequences[row] = spellings[row], sequence


def _untitled(row: int) -> str:
    return f"untitled {row}"
