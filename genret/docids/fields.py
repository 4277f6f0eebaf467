"""What docid strategies read of a corpus, gathered from its passages; knows no model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from docid.strategies import DocumentFields
from genret.corpus.types import Passage

__all__ = ["document_fields"]


def document_fields(
    passages: Sequence[Passage], reads: Collection[str], embeddings: Callable[[], Any]
) -> DocumentFields:
    """The fields of all passages that a strategy `reads`; a passage's address is its id.

    `embeddings` is called only where they are read.
    """
    gather: dict[str, Callable[[], Any]] = {
        "titles": lambda: [passage.title for passage in passages],
        "texts": lambda: [passage.full_text for passage in passages],
        "urls": lambda: [passage.passage_id for passage in passages],
        "embeddings": embeddings,
    }
    return DocumentFields(len(passages), **{name: gather[name]() for name in reads})
