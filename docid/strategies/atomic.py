"""Docids of one new token each: retrieval is a single step of decoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from docid.ragged import Ragged
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["Atomic"]


@dataclass
class Atomic(Strategy):
    """The docid of document d is the one new token `<doc_d>` (unstructured atomic ids, DSI section 3.2)."""

    name: ClassVar[str] = "atomic"

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        rows = taken.num_documents + np.arange(fields.num_documents)
        tokens = [f"<doc_{row}>" for row in rows.tolist()]
        return Docids(tokens, Ragged(-1 - rows, np.arange(len(rows) + 1)), tokens)
