"""From a model folder to the retriever that it holds, whichever kind it is.

Knows the kinds of retrievers, and imports the one that is asked for; knows nothing of how they search.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from genret.artefact import folder_kind
from genret.errors import ArtefactError
from genret.generations import read_whole
from genret.retrieval import DOCIDS, NGRAMS

if TYPE_CHECKING:
    from fm_index.container import Verify
    from genret.corpus.store import PassageStore
    from genret.retrieval.docids import GenerativeRetriever
    from genret.retrieval.ngrams import NgramRetriever

__all__ = ["AnyRetriever", "load_passages", "load_retriever"]

AnyRetriever: TypeAlias = "GenerativeRetriever | NgramRetriever"


def load_retriever(
    folder: str | os.PathLike[str], *, device: str | None = None, verify: bool = True
) -> AnyRetriever:
    """Load a folder that either retriever's `save_pretrained` wrote.

    Raises:
        InputError: no such folder. ArtefactError: it holds no retriever, or something in it is missing, damaged or
            newer than this library.
    """
    if folder_kind(folder) == NGRAMS:
        from genret.retrieval.ngrams.ngram_retriever import NgramRetriever

        return NgramRetriever.from_pretrained(folder, device=device, verify=verify)
    from genret.retrieval.docids import GenerativeRetriever

    return GenerativeRetriever.from_pretrained(folder, device=device, verify=verify)


def load_passages(folder: str | os.PathLike[str], *, verify: Verify = "full") -> PassageStore:
    """The corpus in a model folder of either kind, without its model; `verify` as in `PassageStore.load`.

    Raises:
        ArtefactError: it is no model folder, or its passages are missing or damaged.
    """
    from genret.corpus.store import PassageStore
    from genret.indexing.text_index import PASSAGES
    from genret.retrieval.docids import PASSAGES_FILE
    from genret.retrieval.ngrams.ngram_retriever import INDEX_FOLDER

    def read() -> PassageStore:
        kind = folder_kind(folder)
        if kind not in (DOCIDS, NGRAMS):
            found = "no model" if kind is None else f"a {kind}"
            raise ArtefactError(
                f"{folder}: holds {found}; expected a model folder, as `genret fit` or `genret train` writes it."
            )
        own = Path(PASSAGES_FILE) if kind == DOCIDS else Path(INDEX_FOLDER) / PASSAGES
        return PassageStore.load(Path(folder) / own, verify=verify)

    return read_whole(folder, read)
