"""What a batch run is written as, query by query: memory does not grow with their number.

Knows the formats of runs by name, as `genret.corpus.formats.registry` does; searches nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator

from genret.corpus import PassageStore
from genret.corpus.formats.dpr import context_entry
from genret.corpus.formats.found import FoundQuery, found_line
from genret.corpus.formats.kilt import guess_line
from genret.corpus.formats.runs import run_lines
from genret.corpus.writing import text_writer
from genret.errors import UsageError

__all__ = ["FORMATS", "NEED_TEXTS", "check_format", "write_found"]

Lines = Iterator[str]


def _found(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    return map(found_line, found)


def _trec(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    return (run_lines(one.question.query_id, one.hits) for one in found)


def _kilt(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    return (guess_line(one.question.query_id, [hit[0] for hit in one.hits]) for one in found)


def _dpr(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    """One JSON array, as DPR writes its retrieved contexts."""
    yield "["
    mark = "\n"
    for entry in _entries(found, passages):
        yield mark + entry
        mark = ",\n"
    yield "\n]\n"


def _fid(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    """The same entries one a line: Fusion-in-Decoder's reader takes either (Izacard and Grave, EACL 2021)."""
    return (entry + "\n" for entry in _entries(found, passages))


def _entries(found: Iterable[FoundQuery], passages: PassageStore | None) -> Lines:
    if passages is None:
        raise UsageError("contexts hold the passages' texts: name the model folder, which has them.")
    for one in found:
        yield json.dumps(context_entry(one.question, one.hits, passages), ensure_ascii=False)


FORMATS: dict[str, Callable[[Iterable[FoundQuery], PassageStore | None], Lines]] = {
    "genret-run": _found,
    "trec-run": _trec,
    "kilt-run": _kilt,
    "dpr-run": _dpr,
    "fid-run": _fid,
}
NEED_TEXTS = frozenset(["dpr-run", "fid-run"])


def check_format(name: str) -> None:
    """Refuse a name that is none of `FORMATS`.

    Raises:
        UsageError: it is not.
    """
    if name not in FORMATS:
        raise UsageError(f"{name!r} is no format of a batch run; there are {', '.join(FORMATS)}.")


def write_found(
    path: str | os.PathLike[str],
    found: Iterable[FoundQuery],
    format_name: str,
    passages: PassageStore | None = None,
) -> None:
    """Write every query in the format of this name, atomically; contexts need the passages.

    Raises:
        UsageError: there is no such format, or it needs passages and there are none.
    """
    check_format(format_name)
    with text_writer(path) as file:
        for text in FORMATS[format_name](found, passages):
            file.write(text.encode())
