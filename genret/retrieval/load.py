"""From a model folder to the retriever that it holds, whichever kind it is.

Knows the kinds of retrievers; knows nothing of how they search.
"""

from __future__ import annotations

import os

from genret.artefact import folder_kind
from genret.retrieval.docids import GenerativeRetriever
from genret.retrieval.ngrams.retriever import KIND as NGRAMS
from genret.retrieval.ngrams.retriever import NgramRetriever

__all__ = ["AnyRetriever", "load_retriever"]

AnyRetriever = GenerativeRetriever | NgramRetriever


def load_retriever(
    folder: str | os.PathLike[str], *, device: str | None = None, verify: bool = True
) -> AnyRetriever:
    """Load a folder that either retriever's `save_pretrained` wrote.

    Raises:
        InputError: no such folder. ArtefactError: it holds no retriever, or something in it is missing, damaged or
            newer than this library.
    """
    kind = NgramRetriever if folder_kind(folder) == NGRAMS else GenerativeRetriever
    return kind.from_pretrained(folder, device=device, verify=verify)
