"""Retrievers: a model, its identifiers and its passages as one object that answers queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.retrieval.docids import GenerativeRetriever, Hit, Standing
    from genret.retrieval.from_folder import load_passages, load_retriever
    from genret.retrieval.matches import Match, Piece
    from genret.retrieval.ngrams.ngram_retriever import NgramHit, NgramRetriever
    from genret.retrieval.ngrams.views import NgramOptions, View
    from genret.retrieval.retriever import Retriever, search_run
    from genret.retrieval.search_options import SearchOptions
    from genret.retrieval.word_parts import WordMatch

__all__ = [
    "DOCIDS",
    "NGRAMS",
    "GenerativeRetriever",
    "Hit",
    "Match",
    "NgramHit",
    "NgramOptions",
    "NgramRetriever",
    "Piece",
    "Retriever",
    "SearchOptions",
    "Standing",
    "View",
    "WordMatch",
    "load_passages",
    "load_retriever",
    "search_run",
]

# What the manifests of the two kinds of retriever call them.
DOCIDS = "retriever"
NGRAMS = "n-gram retriever"

__getattr__ = lazy_names(
    __name__,
    {
        "docids": "GenerativeRetriever Hit Standing",
        "from_folder": "load_passages load_retriever",
        "matches": "Match Piece",
        "ngrams.ngram_retriever": "NgramHit NgramRetriever",
        "ngrams.views": "NgramOptions View",
        "retriever": "Retriever search_run",
        "search_options": "SearchOptions",
        "word_parts": "WordMatch",
    },
)
