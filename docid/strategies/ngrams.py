"""The marker of the route without docids: any n-gram of a passage names it, as a full-text index tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from docid.errors import InputError
from docid.strategies.base import Docids, DocumentFields, Index, Strategy, Tokenize
from docid.table import DocidTable

__all__ = ["NGrams"]


@dataclass
class NGrams(Strategy):
    """Passages are named by the n-grams that occur in them (SEAL, Bevilacqua et al. 2022); nothing is assigned.

    A configuration names it like any other strategy; `index` says that an FM-index takes the trie's place.
    """

    name: ClassVar[str] = "ngrams"
    index: ClassVar[Index] = "fm-index"

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        raise InputError(
            "docid strategy 'ngrams' gives no docids: every n-gram of a passage names it. Build a full-text index of "
            "the corpus instead (`genret index build`)."
        )
