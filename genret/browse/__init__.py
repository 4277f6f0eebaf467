"""Runs to look at: queries with their ranked passages, what found them, and which are right; a file or a local page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.browse.page import MOST_QUERIES, results_page
    from genret.browse.results import Results, ShownPassage, ShownQuery, load_results
    from genret.browse.server import make_server

__all__ = [
    "MOST_QUERIES",
    "Results",
    "ShownPassage",
    "ShownQuery",
    "load_results",
    "make_server",
    "results_page",
]

__getattr__ = lazy_names(
    __name__,
    {
        "page": "MOST_QUERIES results_page",
        "results": "Results ShownPassage ShownQuery load_results",
        "server": "make_server",
    },
)
