"""From passages to an index of their tokens: tokenise, stream to disk, build, keep everything in one folder."""

from __future__ import annotations

from genret.indexing.build import build_text_index
from genret.indexing.folder import TextIndex

__all__ = ["TextIndex", "build_text_index"]
