"""Retrieval by generated n-grams: any n-gram of a passage is an identifier of it."""

from __future__ import annotations

from genret.retrieval.ngrams.retriever import NgramHit, NgramRetriever
from genret.retrieval.ngrams.views import NgramSettings, View

__all__ = ["NgramHit", "NgramRetriever", "NgramSettings", "View"]
