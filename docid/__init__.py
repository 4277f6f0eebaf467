"""Docids: strategies that give each document a token sequence, the trie of all of them, and the table between."""

from __future__ import annotations

from docid.errors import InputError
from docid.table import DocidTable
from docid.trie import DocidTrie

__all__ = ["DocidTable", "DocidTrie", "InputError"]
