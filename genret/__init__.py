"""Generative retrieval: the model is the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.corpus.types import Passage
    from genret.errors import ArtefactError, InputError, UsageError
    from genret.fitting.fit_report import FitReport
    from genret.fitting.one_call import fit
    from genret.retrieval.docids import GenerativeRetriever, Hit
    from genret.retrieval.from_folder import load_retriever as load
    from genret.retrieval.search_options import SearchOptions
    from genret.version import __version__

__all__ = [
    "ArtefactError",
    "FitReport",
    "GenerativeRetriever",
    "Hit",
    "InputError",
    "Passage",
    "SearchOptions",
    "UsageError",
    "__version__",
    "fit",
    "load",
]

# torch is imported when a name that needs it is asked for, not when the package is.
__getattr__ = lazy_names(
    __name__,
    {
        "corpus.types": "Passage",
        "errors": "ArtefactError InputError UsageError",
        "fitting.fit_report": "FitReport",
        "fitting.one_call": "fit",
        "retrieval.docids": "GenerativeRetriever Hit",
        "retrieval.from_folder": "load=load_retriever",
        "retrieval.search_options": "SearchOptions",
        "version": "__version__",
    },
)
