"""Retrieval by generated n-grams: any n-gram of a passage is an identifier of it."""

from __future__ import annotations

from genret.ngrams.retriever import NgramHit, NgramRetriever
from genret.ngrams.views import NgramSettings, View

__all__ = ["NgramHit", "NgramRetriever", "NgramSettings", "View"]
