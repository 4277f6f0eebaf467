"""Docids of a document's most telling terms; knows words and how many documents have them."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval

from docid.errors import InputError
from docid.ragged import IntArray, are
from docid.scripts import bigrams
from docid.strategies.base import Docids, DocumentFields, Strategy, Tokenize
from docid.strategies.spelling import Equal, spelled
from docid.strategies.text import check_equal
from docid.table import DocidTable

__all__ = ["Keywords"]

WORD = re.compile(r"[^\W\d_]\w+")


@dataclass
class Keywords(Strategy):
    """The docid of a document is its `count` most telling terms: those of highest (1 + log tf) log(N / df).

    Terms are lower-case words of two characters or more that begin with a letter. They stand in order of their
    weight, or with `ordered=False` as a set: in the order of the alphabet. Documents without terms and those with
    equal terms as in `Title`.
    """

    name: ClassVar[str] = "keywords"
    reads: ClassVar[tuple[str, ...]] = ("texts",)
    count: Annotated[int, Interval(ge=1, le=1024)] = 4
    ordered: bool = True
    equal: Equal = "suffix"

    def __post_init__(self) -> None:
        check_equal(self.equal)
        if self.count < 1:
            raise InputError(f"count is {self.count}; expected at least 1 term a document.")

    def fit(self, fields: DocumentFields) -> None:
        frequencies: Counter[str] = Counter()
        for text in self.need(fields, "texts"):
            frequencies.update(set(_terms(text)))
        terms = sorted(frequencies)
        counts: IntArray = np.array([fields.num_documents, *(frequencies[term] for term in terms)], np.int64)
        self.state = {"terms": np.frombuffer("\0".join(terms).encode(), np.uint8), "frequencies": counts}

    def fault(self) -> str | None:
        state = self.state or {}
        terms, counts = state.get("terms"), state.get("frequencies")
        if (
            state.keys() != {"terms", "frequencies"}
            or not are(terms, np.uint8, 1)
            or not are(counts, np.int64, 1)
        ):
            return "its terms or their frequencies are missing"
        try:
            words = terms.tobytes().decode().split("\0") if len(terms) else []
        except UnicodeDecodeError:
            return "its terms are not text"
        if len(words) + 1 != len(counts) or any(one >= two for one, two in pairwise(words)):
            return "its terms are not in order, or not as many as frequencies"
        if (
            not all(map(WORD.fullmatch, words))
            or bool((counts[1:] < 1).any())
            or bool((counts > counts[0]).any())
        ):
            return "a term is none, or its frequency is not from 1 to the number of documents"
        return None

    def docids(self, fields: DocumentFields, tokenize: Tokenize | None, taken: DocidTable) -> Docids:
        tokenize = self.need_tokenizer(tokenize)
        state = self.state or {}
        total, *counts = state["frequencies"].tolist()
        frequencies = dict(zip(state["terms"].tobytes().decode().split("\0"), counts, strict=False))
        strings = [self._telling(text, frequencies, total) for text in self.need(fields, "texts")]
        return spelled(strings, tokenize, taken, self.equal)

    def _telling(self, text: str, frequencies: dict[str, int], total: int) -> str:
        weights = {
            term: (1 + math.log(times)) * math.log(max(total, 1) / frequencies.get(term, 1))
            for term, times in Counter(_terms(text)).items()
        }
        best = sorted(weights, key=lambda term: (-weights[term], term))[: self.count]
        return " ".join(best if self.ordered else sorted(best))


def _terms(text: str) -> list[str]:
    return WORD.findall(bigrams(text.lower()))
