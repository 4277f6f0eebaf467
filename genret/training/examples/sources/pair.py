"""What a source gives: a text, and what it leads to."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Pair"]


class Pair(NamedTuple):
    """A text and what it leads to.

    Attributes:
        text: what the model reads.
        documents: rows of the passages whose docids it must emit, in this order; one in nearly all sources.
        tokens: what it must emit instead of docids, without the end token; None: the docids of `documents`.
    """

    text: str
    documents: tuple[int, ...]
    tokens: tuple[int, ...] | None = None
