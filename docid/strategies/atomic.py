"""Docids of one new token each: retrieval is a single step of decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from docid.strategies.base import DocumentFields, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["Atomic"]


@dataclass
class Atomic(Strategy):
    """The docid of document d is the one new token `<doc_d>` (unstructured atomic ids, DSI section 3.2)."""

    name: ClassVar[str] = "atomic"

    def assign(self, fields: DocumentFields, tokenize: Tokenize | None = None) -> DocidTable:
        tokens = [f"<doc_{row}>" for row in range(fields.num_documents)]
        return DocidTable.build(tokens, -1 - np.arange(fields.num_documents).reshape(-1, 1), tokens)
