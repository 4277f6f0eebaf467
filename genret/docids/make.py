"""The one way from passages to a table of docids, for the command line and recipes alike.

Knows strategies and what each needs of a corpus: vectors, a tokenizer, a training; knows no decoder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy.typing as npt

from docid import DocidTable
from docid.ragged import IntArray
from docid.strategies import DocumentFields, RqVae, Strategy, Tokenize
from genret.corpus.types import Passage
from genret.models.frozen.sentence_encoder import SentenceEncoder
from genret.tokenizer.load import load_tokenizer
from genret.tokenizer.plain_text import text_ids
from genret.vectors.embedding import passage_vectors
from genret.vectors.npy_files import read_vectors

__all__ = ["add_docids", "corpus_vectors", "document_fields", "fit", "make_docids", "named_tokenizer"]

Vectors = Callable[[], npt.NDArray[Any]]


def make_docids(
    strategy: Strategy,
    passages: Sequence[Passage],
    vectors: Vectors,
    tokenize: Tokenize | None,
    codes: IntArray | None = None,
) -> DocidTable:
    """A docid for every passage; what the strategy learns on the way stays in it.

    Args:
        strategy: not yet fitted, but where codes are given.
        passages: in the order of document numbers.
        vectors: gives floats [passages, d]; called where the strategy reads them only.
        tokenize: the model's tokenizer, for docids that are text.
        codes: a quantiser's, ints [passages, levels], as `genret.docids.code_parts` gives them; None: given here.

    Raises:
        InputError: the strategy needs what the passages have not, or there is no tokenizer.
    """
    fields = replace(document_fields(passages, strategy.reads, vectors), codes=codes)
    if isinstance(strategy, RqVae) and codes is None:
        fit(strategy, fields)
    return strategy.assign(fields, tokenize)


def fit(strategy: Strategy, fields: DocumentFields) -> None:
    """Let a strategy learn what it needs to, of documents with these fields.

    Raises:
        InputError: a field is needed and missing, or unusable.
    """
    if isinstance(strategy, RqVae):
        # Its training needs torch, which `docid` does not know.
        from genret.docids.autoencoder import train_rqvae

        train_rqvae(strategy, strategy.need(fields, "embeddings"))
    else:
        strategy.fit(fields)


def add_docids(
    fitted: Strategy,
    table: DocidTable,
    passages: Sequence[Passage],
    vectors: Vectors,
    tokenize: Tokenize | None,
) -> DocidTable:
    """`table` with docids for more passages; arguments and errors as for `make_docids`, the strategy fitted."""
    return fitted.assign_new(table, document_fields(passages, fitted.reads, vectors), tokenize)


def corpus_vectors(
    passages: Sequence[Passage], given: str | os.PathLike[str] | None, encoder: str | None
) -> npt.NDArray[Any]:
    """Vectors of all passages: those in the .npy file `given`, or those of an encoder (its name; None: the packaged).

    Raises:
        InputError: the file cannot be read, or there is no such encoder.
    """
    if given is not None:
        return read_vectors(given)
    return passage_vectors(None, passages, SentenceEncoder.load(encoder))


def named_tokenizer(name: str | None) -> Tokenize | None:
    """What gives texts their token ids without special tokens; None where no tokenizer is named."""
    return None if name is None else partial(text_ids, load_tokenizer(name))


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
