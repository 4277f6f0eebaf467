"""Pseudo-queries: what might be asked of each passage, from a file."""

from __future__ import annotations

import os

from genret.corpus import PassageStore
from genret.corpus.formats.datafile import data_file, show
from genret.corpus.formats.records import records
from genret.errors import InputError

__all__ = ["read_pseudo_queries"]


def read_pseudo_queries(path: str | os.PathLike[str], passages: PassageStore) -> list[list[str]]:
    """For each passage its pseudo-queries, in the file's order; none for a passage that the file does not name.

    White space is no pseudo-query.

    The file is JSON lines with `passage_id` and `text`, as `genret queries generate` writes them.

    Raises:
        InputError: there is no such file, or a line names a passage that is not in the corpus.
    """
    file = data_file(path)
    if file is None:
        raise InputError(f"{path}: not a file; expected JSON lines with passage_id and text.")
    found: list[list[str]] = [[] for _ in range(len(passages))]
    for record in records(file):
        passage_id = record.identifier("passage_id")
        try:
            row = passages.row(passage_id)
        except InputError as error:
            raise record.problem("passage_id", f"{show(passage_id)} is not in the corpus.") from error
        text = record.text("text")
        if text.split():
            found[row].append(text)
    return found
