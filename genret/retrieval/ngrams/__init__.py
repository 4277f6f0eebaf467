"""Retrieval by generated n-grams: any n-gram of a passage is an identifier of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.retrieval.ngrams.ngram_retriever import NgramHit, NgramRetriever
    from genret.retrieval.ngrams.views import NgramOptions, View

__all__ = ["NgramHit", "NgramOptions", "NgramRetriever", "View"]

__getattr__ = lazy_names(
    __name__,
    {
        "ngram_retriever": "NgramHit NgramRetriever",
        "views": "NgramOptions View",
    },
)
