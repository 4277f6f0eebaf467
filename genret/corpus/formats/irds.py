"""Datasets of the package ir_datasets by their identifiers, `irds:<id>`, such as `irds:beir/scifact/test`.

Knows the package's iterators; imports it when an identifier is read. S. MacAvaney et al., "Simplified Data Wrangling
with ir_datasets", SIGIR 2021.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from docid.extras import needs
from genret.corpus.formats.datafile import BLANK, Blanks, show
from genret.corpus.types import Judgements, Passage, Query
from genret.errors import InputError

__all__ = ["is_identifier", "judgements", "passages", "queries"]

PREFIX = "irds:"


def is_identifier(path: str | os.PathLike[str]) -> bool:
    """Whether a place is an identifier of ir_datasets."""
    return os.fspath(path).startswith(PREFIX)


def passages(path: str | os.PathLike[str], blanks: Blanks | None = None) -> Iterator[Passage]:
    """The documents: those with a title and a text as they are, any other by its default text.

    Raises:
        UsageError: the package is not installed.
        InputError: it knows no such dataset, that has no documents, or one has neither title nor text.
    """
    for number, document in enumerate(_entries(path, "docs"), 1):
        title, text = getattr(document, "title", None), getattr(document, "text", None)
        passage = Passage(document.doc_id, title or "", text or "") if title or text is not None else None
        passage = passage or Passage(document.doc_id, "", document.default_text())
        if passage.title.strip() or passage.text.strip():
            yield passage
        elif blanks is None:
            raise InputError(f"{path}, document {number}: passage {show(passage.passage_id)} {BLANK}")
        else:
            blanks.add(f"document {number}", passage.passage_id)


def queries(path: str | os.PathLike[str]) -> Iterator[Query]:
    """The queries, by their default text.

    Raises:
        UsageError, InputError: as `passages`.
    """
    for query in _entries(path, "queries"):
        yield Query(query.query_id, query.default_text())


def judgements(path: str | os.PathLike[str]) -> Judgements:
    """query_id -> passage_id -> grade.

    Raises:
        UsageError, InputError: as `passages`.
    """
    judged: Judgements = {}
    for entry in _entries(path, "qrels"):
        judged.setdefault(entry.query_id, {})[entry.doc_id] = int(entry.relevance)
    return judged


def _entries(path: str | os.PathLike[str], kind: str) -> Iterator[Any]:
    identifier = os.fspath(path).removeprefix(PREFIX)
    with needs(os.fspath(path), "ir_datasets"):
        import ir_datasets
    try:
        dataset = ir_datasets.load(identifier)
    except KeyError as error:
        raise InputError(f"{path}: ir_datasets knows no dataset {identifier!r}.") from error
    if not getattr(dataset, f"has_{kind}")():
        raise InputError(f"{path}: this dataset has no {kind}; name one that has, such as {identifier}/test.")
    entries: Iterator[Any] = getattr(dataset, f"{kind}_iter")()
    return entries
