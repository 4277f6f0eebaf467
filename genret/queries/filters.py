"""Which synthetic queries are worth training on: by their form, and by whether they find their passage again.

Knows texts, passages and rankings; knows no language model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from genret.config import Count, Fraction, check_bounds
from genret.corpus import PassageStore, Query
from genret.errors import InputError
from genret.evaluation import BM25_TUNED, bm25_run
from genret.jobs.cache_folder import default_cache
from genret.vectors import embed_texts, nearest_rows

__all__ = ["FilterOptions", "PassageQuery", "keep_form", "round_trip"]

_WORD = re.compile(r"\w+")


class PassageQuery(NamedTuple):
    """A synthetic query and its passage's row."""

    row: int
    text: str


@dataclass(frozen=True)
class FilterOptions:
    """What is kept.

    Attributes:
        min_words, max_words: length.
        latin_share: at least this share of the letters is Latin; 0 for other languages.
        round_trip: keep a query only if a search with it finds its passage among the first `depth` (Dai et al.,
            "Promptagator", ICLR 2023, section 3.2): by BM25, by the packaged sentence encoder, or not at all.
    """

    min_words: Count = 3
    max_words: Count = 30
    latin_share: Fraction = 0.9
    round_trip: Literal["none", "bm25", "encoder"] = "bm25"
    depth: Count = 10

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.min_words > self.max_words:
            raise InputError(
                f"min_words: expected at most max_words ({self.max_words}), found {self.min_words}."
            )


def keep_form(queries: Sequence[PassageQuery], options: FilterOptions) -> Iterator[tuple[PassageQuery, str]]:
    """Each query and why it goes: "duplicate" of an earlier one of its passage, "length", "language"; "" if it stays."""
    seen: set[tuple[int, str]] = set()
    for query in queries:
        words = _WORD.findall(query.text.casefold())
        key = (query.row, " ".join(words))
        if key in seen:
            yield query, "duplicate"
        elif not options.min_words <= len(words) <= options.max_words:
            yield query, "length"
        elif _latin_share(query.text) < options.latin_share:
            yield query, "language"
        else:
            yield query, ""
        seen.add(key)


def round_trip(queries: Sequence[PassageQuery], passages: PassageStore, options: FilterOptions) -> list[bool]:
    """Whether each query finds its passage again among the first `depth`."""
    if options.round_trip == "none" or not queries:
        return [True] * len(queries)
    if options.round_trip == "encoder":
        return _by_encoder(queries, passages, options.depth)
    asked = [Query(str(place), query.text) for place, query in enumerate(queries)]
    run = bm25_run(passages, asked, options.depth, BM25_TUNED)
    ids = passages.passage_ids
    return [
        ids[query.row] in {passage_id for passage_id, _ in run[str(place)]}
        for place, query in enumerate(queries)
    ]


def _by_encoder(queries: Sequence[PassageQuery], passages: PassageStore, depth: Count) -> list[bool]:
    from genret.models.frozen.sentence_encoder import SentenceEncoder

    encoder, cache = SentenceEncoder.load(), default_cache()
    vectors = embed_texts(encoder, [one.full_text for one in passages], cache=cache, description="passages")
    asked = embed_texts(encoder, [one.text for one in queries], cache=cache, description="queries")
    rows, _ = nearest_rows(asked.astype(np.float32), vectors, min(depth, len(passages)))
    return [query.row in found for query, found in zip(queries, rows.tolist(), strict=True)]


def _latin_share(text: str) -> float:
    letters = [char for char in text if char.isalpha()]
    return sum(char < "\u0250" for char in letters) / max(len(letters), 1)
