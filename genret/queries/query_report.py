"""What came out of a generation: how many queries, for how many passages, and how unlike their passages they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from genret.corpus import PassageStore
from genret.queries.filters import PassageQuery

__all__ = ["QueryReport", "make_report"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class QueryReport:
    """Counts and shares over what was kept.

    Attributes:
        passages: of the corpus.
        generated, kept: queries.
        dropped: queries, by the reason.
        coverage: the share of passages with a query.
        per_passage: how many passages have so many queries, by that number.
        overlap: the share of a query's words that its passage holds, mean over queries.
        distinct_words, distinct_pairs: different words, and pairs of neighbouring words, as a share of all of them
            (distinct-1 and distinct-2; Li et al., NAACL 2016).
        questions: the share that ends with a question mark.
    """

    passages: int
    generated: int
    kept: int
    dropped: Mapping[str, int]
    coverage: float
    per_passage: Mapping[int, int]
    overlap: float
    distinct_words: float
    distinct_pairs: float
    questions: float

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """In words."""
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.dropped.items())) or "none"
        return [
            f"{self.kept:,} of {self.generated:,} queries kept (dropped: {dropped})",
            f"{self.coverage:.1%} of {self.passages:,} passages have a query",
            f"{self.overlap:.1%} of a query's words are in its passage",
            f"distinct words {self.distinct_words:.3f}, distinct pairs {self.distinct_pairs:.3f}, "
            f"questions {self.questions:.1%}",
        ]


def make_report(
    kept: Sequence[PassageQuery], generated: int, dropped: Mapping[str, int], passages: PassageStore
) -> QueryReport:
    """The report of the queries `kept` of `generated`."""
    per_passage = Counter(query.row for query in kept)
    spread = Counter(per_passage.values())
    spread[0] = len(passages) - len(per_passage)
    tokens = [_WORD.findall(query.text.casefold()) for query in kept]
    words = [word for one in tokens for word in one]
    pairs = [pair for one in tokens for pair in pairwise(one)]
    overlaps = [_overlap(one, passages[query.row].full_text) for one, query in zip(tokens, kept, strict=True)]
    return QueryReport(
        passages=len(passages),
        generated=generated,
        kept=len(kept),
        dropped=dict(dropped),
        coverage=len(per_passage) / max(len(passages), 1),
        per_passage=dict(sorted(spread.items())),
        overlap=sum(overlaps) / max(len(overlaps), 1),
        distinct_words=len(set(words)) / max(len(words), 1),
        distinct_pairs=len(set(pairs)) / max(len(pairs), 1),
        questions=sum(query.text.endswith("?") for query in kept) / max(len(kept), 1),
    )


def _overlap(words: Sequence[str], text: str) -> float:
    own = set(_WORD.findall(text.casefold()))
    return sum(word in own for word in words) / max(len(words), 1)
