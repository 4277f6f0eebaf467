"""Retrievers in the shape that other people's frameworks and evaluation libraries call; none of these is imported until
asked for.

`genret.adapters.langchain`, `.llama_index` and `.haystack` have a `GenretRetriever` each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.adapters.beir_search import BeirSearch
    from genret.adapters.mteb import MtebSearch
    from genret.adapters.pyterrier import pyterrier_transformer

__all__ = ["BeirSearch", "MtebSearch", "pyterrier_transformer"]

__getattr__ = lazy_names(
    __name__,
    {
        "beir_search": "BeirSearch",
        "mteb": "MtebSearch",
        "pyterrier": "pyterrier_transformer",
    },
)
