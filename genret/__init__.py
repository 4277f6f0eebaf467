"""Generative retrieval: the model is the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genret.retrieval.docids import GenerativeRetriever, Hit, SearchSettings
    from genret.version import __version__

__all__ = ["GenerativeRetriever", "Hit", "SearchSettings", "__version__"]


def __getattr__(name: str) -> Any:
    # torch is imported when a name that needs it is asked for, not when the package is.
    if name == "__version__":
        from genret.version import __version__

        return __version__
    if name in __all__:
        import genret.retrieval.docids

        return getattr(genret.retrieval.docids, name)
    raise AttributeError(f"module 'genret' has no attribute {name!r}")
