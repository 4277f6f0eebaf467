"""Whether a search may be asked for, before anything is done. Knows requests and limits."""

from __future__ import annotations

from genret.corpus.formats.datafile import show
from genret.errors import InputError
from genret.serve.bodies import SearchRequest
from genret.serve.limits import Limits

__all__ = ["check_request"]


def check_request(request: SearchRequest, limits: Limits) -> list[str]:
    """The queries of a request that keeps within limits.

    Raises:
        InputError: it does not, or a query is none.
    """
    if (request.query is None) == (request.queries is None):
        raise InputError("expected either query, a text, or queries, a list of texts, and not both.")
    queries = [request.query] if request.query is not None else request.queries or []
    if not queries:
        raise InputError("queries: expected at least one, found an empty list.")
    if len(queries) > limits.queries:
        raise InputError(
            f"queries: expected at most {limits.queries:,}, found {len(queries):,}; ask in several requests."
        )
    for name, value, most in (("k", request.k, limits.k), ("beams", request.beams, limits.beams)):
        if value is not None and value > most:
            raise InputError(f"{name}: expected at most {most:,}, found {show(value)}.")
    for place, query in enumerate(queries):
        _check_text("query" if request.query is not None else f"queries.{place}", query, limits)
    if request.where is not None:
        _check_text("where", request.where, limits)
    return list(queries)


def _check_text(name: str, text: str, limits: Limits) -> None:
    if len(text) > limits.characters:
        raise InputError(
            f"{name}: expected at most {limits.characters:,} characters, found {len(text):,}; shorten it."
        )
    if not text.strip():
        raise InputError(f"{name}: empty; give it at least one word, or leave it out.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name}: no text: character {error.start + 1} is half of one (a lone surrogate); write it in UTF-8."
        ) from error
