"""Results as one HTML page without a script: everything is in it, escaped; filters are style rules.

Knows what is shown; reads no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from genret.browse.results import Results, ShownPassage, ShownQuery, marked
from genret.browse.templates import render
from genret.corpus.formats.found import FoundMatch

__all__ = ["MOST_QUERIES", "page", "results_page"]

# More make a file that browsers open slowly; the served page has all of them.
MOST_QUERIES = 1_000
MOST_NGRAMS = 8


class _Piece(NamedTuple):
    """A part of a text; `strength` in percent where an n-gram marks it."""

    text: str
    score: float
    strength: float | None


class _PassageView(NamedTuple):
    passage_id: str
    docid: str | None
    score: float
    gold: bool
    title: list[_Piece]
    text: list[_Piece]
    found_by: str
    fields: str


class _QueryView(NamedTuple):
    query_id: str
    text: str
    classes: list[str]
    verdict: str
    runs: list[tuple[str, list[_PassageView]]]


def results_page(results: Results) -> str:
    """One self-contained file with the first `MOST_QUERIES` queries."""
    shown = list(islice(results.queries(), MOST_QUERIES))
    total = len(results.texts)
    note = "" if total <= len(shown) else f" The first {len(shown):,} of {total:,}; serve the run to see all."
    summary = _summary(results.names, shown) + note
    return page("file", results.names, summary, shown, filters=_filters(results))


def page(
    template: str, names: Sequence[str], summary: str, queries: Iterable[ShownQuery], **controls: object
) -> str:
    """A page of queries; `template` is `file` or `served`, which differ in their controls."""
    views = [_query(query, names) for query in queries]
    return render(template, title=" and ".join(names), summary=summary, queries=views, **controls)


def _query(query: ShownQuery, names: Sequence[str]) -> _QueryView:
    classes = ["query"]
    if query.judged:
        classes.append("missed" if query.missed else "hit")
    if query.differs:
        classes.append("differs")
    runs = [(name, list(map(_passage, found))) for name, found in zip(names, query.runs, strict=True)]
    return _QueryView(query.query_id, query.text, classes, _verdict(query), runs)


def _verdict(query: ShownQuery) -> str:
    """The rank of the first right passage in each run."""
    if not query.judged:
        return "not judged"
    return ", ".join("missed" if rank is None else f"at {rank}" for rank in query.gold_ranks)


def _passage(passage: ShownPassage) -> _PassageView:
    found = passage.found
    best = sorted(found.matches, key=lambda one: -one.score)[:MOST_NGRAMS]
    # The n-grams that count most, with what they add; also those that the text spells otherwise.
    found_by = ", ".join(f"{one.text.strip()} {one.score:.2f}" for one in best)
    title, text = (_pieces(found.matches, one) for one in (passage.title, passage.text))
    return _PassageView(
        found.passage_id, found.docid, found.score, passage.gold, title, text, found_by, passage.fields
    )


def _pieces(matches: Sequence[FoundMatch], text: str) -> list[_Piece]:
    strongest = max((match.score for match in matches), default=1.0) or 1.0
    return [
        _Piece(piece, 0.0, None)
        if match is None
        else _Piece(piece, match.score, 15 + 85 * max(0.0, match.score / strongest))
        for piece, match in marked(text, matches)
    ]


def _summary(names: Sequence[str], shown: Sequence[ShownQuery]) -> str:
    judged = [query for query in shown if query.judged]
    if not judged:
        return f"{len(shown):,} queries, none judged."
    parts = []
    for place, name in enumerate(names):
        missed = sum(query.gold_ranks[place] is None for query in judged)
        parts.append(f"{name} missed {missed:,}")
    return f"{len(shown):,} queries, {len(judged):,} judged: {', '.join(parts)}."


def _filters(results: Results) -> dict[str, str]:
    """Filters that need no script, by the names that the style rules have."""
    filters = {"all": "all"}
    if results.judgements is not None:
        filters["missed"] = f"missed by {results.names[0]}"
    if results.judgements is not None and len(results.names) > 1:
        filters["differ"] = "ranked differently"
    return filters
