"""From texts to vectors, kept by content, and the nearest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genret.lazy import lazy_names

if TYPE_CHECKING:
    from genret.vectors.embedding import embed_parts, embed_texts
    from genret.vectors.npy_files import read_vectors, write_vectors
    from genret.vectors.topk import nearest_rows, top_rows

__all__ = ["embed_parts", "embed_texts", "nearest_rows", "read_vectors", "top_rows", "write_vectors"]

__getattr__ = lazy_names(
    __name__,
    {
        "embedding": "embed_parts embed_texts",
        "npy_files": "read_vectors write_vectors",
        "topk": "nearest_rows top_rows",
    },
)
