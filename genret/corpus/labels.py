"""Labels of passages, one each, as a file: lines of passage_id, tab, label. Knows not what a label means."""

from __future__ import annotations

import os
from collections.abc import Sequence

from genret.corpus.formats.datafile import data_file, show
from genret.errors import InputError

__all__ = ["read_labels"]


def read_labels(path: str | os.PathLike[str], passage_ids: Sequence[str]) -> list[str]:
    """The label of each passage, in the order of `passage_ids`.

    Raises:
        InputError: the file cannot be read, a line has no tab or names no passage, a passage has two labels or none.
    """
    file = data_file(path)
    if file is None:
        raise InputError(f"{path}: not a file; expected lines of passage_id, tab, label.")
    labels: dict[str, str] = {}
    known = frozenset(passage_ids)
    for number, line in file.lines():
        passage_id, tab, label = line.partition("\t")
        if not tab:
            raise file.problem(number, f": expected passage_id, tab, label, found {show(line)}.")
        if passage_id not in known:
            raise file.problem(number, f": passage {show(passage_id)} is not in the corpus.")
        if labels.setdefault(passage_id, label) != label:
            raise file.problem(
                number, f": passage {show(passage_id)} was {show(labels[passage_id])} before; keep one label."
            )
    missing = next((passage_id for passage_id in passage_ids if passage_id not in labels), None)
    if missing is not None:
        raise InputError(f"{path}: no label for passage {show(missing)}; every passage needs one.")
    return [labels[passage_id] for passage_id in passage_ids]
