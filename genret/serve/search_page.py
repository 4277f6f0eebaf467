"""The page for people: a question, its passages with what found them marked, and the way of one docid.

Needs no script; every state is an address. Knows answers and what is shown of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from genret.browse.templates import render
from genret.browse.trace_view import Drawing, drawing, trace_table
from genret.corpus.formats.datafile import show
from genret.errors import InputError
from genret.retrieval.docids import Standing
from genret.serve.answers import Explained, Found, Search, Tracing
from genret.serve.bodies import SearchRequest
from genret.serve.checks import check_request
from genret.serve.generations import Generation
from genret.serve.refusals import sentence_of

if TYPE_CHECKING:
    from genret.retrieval.matches import Match, Piece
    from genret.serve.service import Service

__all__ = ["Asked", "search_page"]


class Asked(NamedTuple):
    """What stands in the form, and whose way is shown."""

    q: str
    k: str
    where: str
    trace: str


class _Piece(NamedTuple):
    text: str
    score: str
    strength: int | None


class _Hit(NamedTuple):
    passage_id: str
    title: str
    metadata: dict[str, object]
    pieces: list[_Piece]
    score: str
    parts: list[tuple[str, str]]
    docid: str | None


class _Way(NamedTuple):
    passage_id: str
    standing: list[tuple[str, str, str]]
    table: str
    beam: Drawing | None


async def search_page(service: Service, asked: Asked) -> tuple[str, HTTPStatus]:
    """The page as HTML, and its status; what cannot be answered is said on it."""
    generation = service.generations.current
    hits: list[_Hit] | None = None
    way, error, status = None, "", HTTPStatus.OK
    try:
        if asked.q:
            hits, way = await _answer(service, generation, asked)
    except Exception as failed:  # noqa: BLE001  (a person is told what a program is)
        refused = sentence_of(failed)
        error, status = str(refused), refused.status
    columns = generation.retriever.passages.columns()
    page = render(
        "search",
        title=asked.q or "Search",
        asked=asked,
        limits=service.limits,
        fields=[f"{name} = " for name in columns],
        example=" ".join(f"{name} = …" for name in list(columns)[:1]),
        error=error,
        note=generation.retriever.told_of(asked.q) if hits else None,
        hits=hits,
        way=way,
        passages=f"{len(generation.retriever.passages):,}",
        generation=generation.build[:12],
    )
    return page, status


async def _answer(service: Service, generation: Generation, asked: Asked) -> tuple[list[_Hit], _Way | None]:
    if not (asked.k.isascii() and asked.k.isdigit() and 0 < len(asked.k) < 10 and int(asked.k)):
        raise InputError(f"passages: expected a whole number from 1, found {show(asked.k)}.")
    request = SearchRequest(query=asked.q, k=int(asked.k), where=asked.where or None)
    queries = check_request(request, service.limits)
    matches = generation.shows_matches
    task = Search(generation, request.k, where=request.where, text=True, matches=matches)
    (found,) = await service.run(task, queries)
    way = None
    if asked.trace:
        (explained,) = await service.run(Tracing(generation, asked.trace, request.where), queries)
        way = _way(asked.trace, explained)
    return [_hit(one) for one in found], way


def _hit(found: Found) -> _Hit:
    hit = found.hit
    parts = [
        (name, f"{value:.3f}")
        for name, value in (
            ("codes", getattr(hit, "code_score", 0.0)),
            ("words", getattr(hit, "word_score", 0.0)),
        )
        if value
    ]
    pieces = _pieces(found.pieces or (), found.matches or ()) or [_Piece(hit.text or "", "", None)]
    return _Hit(
        hit.passage_id,
        found.title,
        dict(hit.metadata),
        pieces,
        f"{hit.score:.3f}",
        parts,
        getattr(hit, "docid", None),
    )


def _pieces(pieces: Sequence[Piece], matches: Sequence[Match]) -> list[_Piece]:
    """The stronger a match, the darker."""
    strongest = max((match.score for match in matches), default=1.0) or 1.0
    return [
        _Piece(piece.text, "", None)
        if piece.match is None
        else _Piece(
            piece.text, f"{piece.match.score:.2f}", round(15 + 60 * max(0.0, piece.match.score / strongest))
        )
        for piece in pieces
    ]


def _way(passage_id: str, explained: Explained) -> _Way:
    trace, standing = explained.trace, _standing(explained.standing)
    if trace is None:
        return _Way(passage_id, standing, "", None)
    name = explained.names.__getitem__
    table = trace_table(trace, explained.sequence, name)
    return _Way(passage_id, standing, table, drawing(trace, explained.sequence, name))


def _standing(found: Standing) -> list[tuple[str, str, str]]:
    parts = (
        ("codes", found.code_score, found.code_rank),
        ("words", found.word_score, found.word_rank),
        ("both", found.score, found.rank),
    )
    return [(name, f"{score:.3f}", f"{rank:,}") for name, score, rank in parts]
