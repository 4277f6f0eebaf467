"""Docids that are texts: spelled, told apart where the tokenizer reads the same in two, and counted.

Token sequences are arrays throughout, since the titles of millions of pages come at once. Knows strings and what a
tokenizer gives for them; knows no fields of documents.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal

import numpy as np

from docid.errors import InputError
from docid.ragged import IntArray, Ragged, as_ragged, chunks, first_equals, take_rows
from docid.strategies.base import Docids, Tokenize
from docid.table import DocidTable

__all__ = ["Equal", "first_number", "spelled", "token_rows"]

SEPARATION_ROUNDS = 20
UNTITLED, MOST_DIGITS = "untitled ", 19
_log = logging.getLogger(__name__)
Equal = Literal["share", "suffix"]


def spelled(texts: Sequence[str], tokenize: Tokenize, taken: DocidTable, equal: Equal) -> Docids:
    """Docids that are the given texts; see `Title` for empty and equal ones."""
    strings = [" ".join(text.replace("\0", " ").split()) for text in texts]
    first = first_number(taken, UNTITLED)

    def name(rows: Iterable[int]) -> list[int]:
        """Of these rows, which have no text."""
        named = list(rows)
        for row in named:
            strings[row] = f"{UNTITLED}{first + row}"
        return named

    name(row for row, text in enumerate(strings) if not text)
    sequences = token_rows(strings, tokenize)
    unread = name(np.flatnonzero(sequences.lengths == 0).tolist())
    sequences = _respelled(strings, sequences, unread, tokenize)
    _warn_of_alike(strings, sequences)
    if equal == "suffix":
        sequences = _separated(strings, sequences, tokenize, taken)
    return Docids(strings, sequences)


def token_rows(strings: Sequence[str], tokenize: Tokenize) -> Ragged:
    """The tokens of each string: int32 values, a row a string."""
    parts = [as_ragged(tokenize(list(strings[part]))) for part in chunks(len(strings))]
    lengths = [part.lengths for part in parts]
    offsets = np.concatenate([[0], *lengths]).astype(np.int64).cumsum()
    values = [np.empty(0, np.int32), *(part.values.astype(np.int32) for part in parts)]
    return Ragged(np.concatenate(values), offsets)


def _warn_of_alike(strings: Sequence[str], sequences: Ragged) -> None:
    """Say how many different spellings the tokenizer makes one docid of: no search can tell their documents apart."""
    spellings: dict[int, set[str]] = {}
    first = first_equals(sequences)
    later = np.flatnonzero(first != np.arange(len(first)))
    for row, leader in zip(later.tolist(), first[later].tolist(), strict=True):
        if strings[row] != strings[leader]:
            spellings.setdefault(leader, {strings[leader]}).add(strings[row])
    if not spellings:
        return
    alike = [sorted(spellings[leader]) for leader in sorted(spellings)]
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


def _separated(strings: list[str], sequences: Ragged, tokenize: Tokenize, table: DocidTable) -> Ragged:
    """Add ` (2)`, ` (3)`, ... in place to all but the first of the rows that are equal as tokens, those of `table` first.

    Returns the tokens of all rows as they are spelled then.
    """
    given = table.num_documents
    taken = set(chain(strings, table.docids(range(given))))
    stems = list(strings)
    stem_of = _behind(table.sequences, sequences)[given:]
    # Counted by what the tokenizer reads: `High School (2)` and `High school (2)` may be one docid to it.
    counts = np.ones(given + len(strings), np.int32)
    for _ in range(SEPARATION_ROUNDS):
        later = _later(_behind(table.sequences, sequences), given)
        if not len(later):
            return sequences
        rows = later.tolist()
        for row, stem in zip(rows, stem_of[later].tolist(), strict=True):
            counts[stem], strings[row] = _next_spelling(stems[row], int(counts[stem]), taken)
        sequences = _respelled(strings, sequences, rows, tokenize)
    raise InputError(
        f"row {later[0]}: the tokenizer cannot tell {strings[later[0]]!r:.200} from another docid; its vocabulary lacks "
        "the digits or the brackets of the suffix. Use equal='share' or another tokenizer."
    )


def _next_spelling(text: str, count: int, taken: set[str]) -> tuple[int, str]:
    """The first spelling after number `count` that nothing has, which has it then; and its number."""
    while True:
        count += 1
        spelling = f"{text} ({count})"
        if spelling not in taken:
            taken.add(spelling)
            return count, spelling


def _behind(given: Ragged, sequences: Ragged) -> IntArray:
    """For each row of both, those of `sequences` numbered behind those of `given`, the first that is equal to it."""
    values = np.concatenate([given.values, sequences.values])
    offsets = np.concatenate([given.offsets, sequences.offsets[1:] + len(given.values)])
    # A table's new tokens are numbered below 0.
    return first_equals(Ragged(values - min(int(values.min(initial=0)), 0), offsets))


def _later(first: IntArray, given: int) -> IntArray:
    """The rows behind the first `given` that are equal to one before them."""
    return np.flatnonzero(first[given:] != np.arange(given, len(first)))


def _respelled(strings: Sequence[str], sequences: Ragged, rows: list[int], tokenize: Tokenize) -> Ragged:
    """The sequences with these rows tokenised anew."""
    if not rows:
        return sequences
    more = token_rows([strings[row] for row in rows], tokenize)
    place = np.arange(sequences.num_rows)
    place[rows] = sequences.num_rows + np.arange(len(rows))
    offsets = np.concatenate([sequences.offsets, more.offsets[1:] + len(sequences.values)])
    return take_rows(Ragged(np.concatenate([sequences.values, more.values]), offsets), place)


def first_number(taken: DocidTable, prefix: str) -> int:
    """The number of the next document, or the first that no docid has behind `prefix`: some may have been taken out."""
    docids = taken.docids(range(taken.num_documents))
    ends = (docid.removeprefix(prefix) for docid in docids if docid.startswith(prefix))
    numbers = (int(end) for end in ends if end.isascii() and end.isdecimal() and len(end) < MOST_DIGITS)
    return max(taken.num_documents, *(number + 1 for number in numbers), 0)
