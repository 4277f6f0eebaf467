"""Retrievers: a model, its identifiers and its passages as one object that answers queries."""

from __future__ import annotations

__all__ = ["DOCIDS", "NGRAMS"]

# What the manifests of the two kinds of retriever call them.
DOCIDS, NGRAMS = "retriever", "n-gram retriever"
