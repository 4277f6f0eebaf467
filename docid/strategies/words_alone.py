"""Words alone: documents have no codes of their own, and are told apart by their sets of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval

from docid.errors import InputError
from docid.ragged import Ragged
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.table import DocidTable
from docid.words import ALONE

__all__ = ["WordsAlone"]


@dataclass
class WordsAlone(Strategy):
    """Every docid is the one new token `<words>`; what tells documents apart are the words beside the table.

    Attributes:
        limit: words of a document, at most.
        title_weight: how often each word of the title counts when they are chosen.
    """

    name: ClassVar[str] = "words"
    limit: Annotated[int, Interval(ge=1, le=1 << 16)] = 64
    title_weight: Annotated[int, Interval(ge=0, le=1 << 8)] = 3

    def __post_init__(self) -> None:
        if self.limit < 1 or self.title_weight < 0:
            raise InputError(
                f"limit is {self.limit} and title_weight {self.title_weight}; expected at least 1 and at least 0."
            )

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        count = fields.num_documents
        sequences = Ragged(np.full(count, -1), np.arange(count + 1))
        return Docids([ALONE] * count, sequences, [] if taken.new_tokens else [ALONE])
