"""Generative retrieval: the model is the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.retrieval.docids import GenerativeRetriever, Hit
    from genret.retrieval.search_options import SearchOptions
    from genret.version import __version__

__all__ = ["GenerativeRetriever", "Hit", "SearchOptions", "__version__"]

# torch is imported when a name that needs it is asked for, not when the package is.
__getattr__ = lazy_names(
    __name__,
    {
        "retrieval.docids": "GenerativeRetriever Hit",
        "retrieval.search_options": "SearchOptions",
        "version": "__version__",
    },
)
