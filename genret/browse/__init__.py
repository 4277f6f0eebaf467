"""Runs to look at: queries with their ranked passages, what found them, and which are right; a file or a local page."""

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
