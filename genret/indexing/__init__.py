"""From passages to an index of their tokens: tokenise, stream to disk, build, keep everything in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.indexing.build import build_text_index
    from genret.indexing.text_index import TextIndex

__all__ = ["TextIndex", "build_text_index"]

__getattr__ = lazy_names(
    __name__,
    {
        "build": "build_text_index",
        "text_index": "TextIndex",
    },
)
