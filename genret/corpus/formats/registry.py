"""Every file format by name: how to recognise, read, write, convert and check one.

A format is a source and a kind, such as `dpr-corpus` or `trec-run`; files convert between formats of one kind.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from genret.corpus.documents import reading
from genret.corpus.documents.document import Document
from genret.corpus.documents.pieces import in_pieces
from genret.corpus.formats import arrow, beir, dpr, kilt, msmarco
from genret.corpus.formats import found as found_runs
from genret.corpus.formats import judgements as qrels
from genret.corpus.formats import runs as trec
from genret.corpus.formats.datafile import DataFile, data_file, show
from genret.corpus.formats.records import begins_array, begins_object, json_object
from genret.corpus.recognition import (
    DOCUMENTS,
    NO_INPUT,
    TEXTS,
    column_formats,
    json_formats,
    records_format,
)
from genret.corpus.store import PassageStore
from genret.corpus.tables import delimited, json_records
from genret.corpus.types import Passage, Query
from genret.corpus.writing import text_writer
from genret.errors import InputError, UsageError
from genret.plugins import Door

__all__ = [
    "FORMATS",
    "FORMAT_DOOR",
    "FileFormat",
    "Format",
    "detect",
    "find_format",
    "fitting",
    "format_of",
    "is_json",
    "open_file",
    "read",
    "run_format",
    "write_found",
]

# What a file is taken for that could be none or several of its kind: the complaints are then this format's.
USUAL = {
    "corpus": "beir-corpus",
    "queries": "beir-queries",
    "judgements": "trec-judgements",
    "run": "trec-run",
}
# What is expected in place of unknown JSON where the usual format is columns.
COLUMNS = {
    "judgements": "judgements (columns of query, passage and grade; MTEB's, KILT's or DPR's files); write it as columns",
    "run": "a run (TREC's six columns; genret-run, with query_id and hits; KILT's or DPR's files); write it as columns",
}


class FileFormat(ABC):
    """A guest's file format; a class without options.

    Attributes:
        kind: corpus, queries, judgements or run.
        one_word: whether ids stand between blanks; before a search whose run is written in the format, ids that cannot
            are refused.
    """

    kind: ClassVar[str]
    one_word: ClassVar[bool] = False

    @abstractmethod
    def read(self, file: DataFile) -> Any:
        """What a file holds: an iterator of `Passage` or `Query`, `Judgements`, or a `Run`.

        `file.lines()` gives line numbers and lines, decompressed; `file.problem(line, text)` is the complaint about
        one. Ids are the format's to check.
        """

    def write(self, path: str | os.PathLike[str], content: Any) -> None:
        """The reverse, for formats that can be written."""
        raise NotImplementedError

    def recognises(self, line: str) -> bool:
        """Whether a file that begins with this line is of the format; asked of installed packages' formats only."""
        return False


@dataclass(frozen=True)
class Format:
    """One file format of one kind.

    Attributes:
        kind: corpus, queries, judgements or run.
        read: what a file holds: an iterator of passages or queries, or judgements, or a run.
        write: the reverse; None where the format holds more than the kind does.
        lines: of a run: how what a search found is written, a query at a time; None: as `write` does, all at once.
        texts: whether `lines` hold the passages' texts.
        one_word: whether ids stand between blanks.
    """

    kind: str
    read: Callable[[DataFile], Any]
    write: Callable[[Any, Any], None] | None = None
    lines: found_runs.RunLines | None = None
    texts: bool = False
    one_word: bool = False


def _write_kilt_queries(path: str | os.PathLike[str], queries: Iterator[Query]) -> None:
    kilt.write_lines(path, (kilt.KiltLine(q.query_id, {"id": q.query_id, "input": q.text}) for q in queries))


def _corpus(
    read: Callable[[DataFile], Iterator[Passage | Document]],
    write: Callable[[Any, Any], None] | None = None,
) -> Format:
    """A format of corpora; what it reads is split as the file's options say."""
    return Format("corpus", lambda file: in_pieces(read(file), file.options.splitting), write)


FORMATS = {
    "beir-corpus": _corpus(beir.passages, beir.write_passages),
    "dpr-corpus": _corpus(dpr.passages, dpr.write_passages),
    "msmarco-corpus": _corpus(msmarco.passages, msmarco.write_passages),
    "kilt-corpus": _corpus(kilt.passages),
    "arrow-corpus": _corpus(arrow.passages),
    "jsonl-corpus": _corpus(json_records.line_passages),
    "json-corpus": _corpus(json_records.array_passages),
    "csv-corpus": _corpus(delimited.csv_passages),
    "tsv-corpus": _corpus(delimited.tsv_passages),
    "markdown-corpus": _corpus(reading.markdown_document),
    "rst-corpus": _corpus(reading.rst_document),
    "html-corpus": _corpus(reading.html_document),
    "text-corpus": _corpus(reading.plain_document),
    "beir-queries": Format("queries", beir.queries, beir.write_queries),
    "dpr-queries": Format("queries", dpr.queries),
    "msmarco-queries": Format("queries", msmarco.queries, msmarco.write_queries),
    "kilt-queries": Format("queries", kilt.queries, _write_kilt_queries),
    "beir-judgements": Format("judgements", qrels.judgements, partial(qrels.write_judgements, form="beir")),
    "trec-judgements": Format("judgements", qrels.judgements, partial(qrels.write_judgements, form="trec")),
    "mteb-judgements": Format("judgements", qrels.json_judgements),
    "dpr-judgements": Format("judgements", dpr.judgements),
    "kilt-judgements": Format("judgements", kilt.judgements),
    "trec-run": Format("run", trec.run, trec.write_run, found_runs.trec_lines, one_word=True),
    "genret-run": Format("run", found_runs.run, lines=found_runs.genret_lines),
    "dpr-run": Format("run", dpr.run, lines=found_runs.dpr_lines, texts=True),
    "fid-run": Format("run", dpr.run, lines=found_runs.fid_lines, texts=True),
    "msmarco-run": Format("run", msmarco.run, msmarco.write_run, one_word=True),
    "kilt-run": Format("run", partial(kilt.run, level="paragraph"), kilt.write_run, found_runs.kilt_lines),
    "kilt-page-run": Format("run", kilt.run),
}


FORMAT_DOOR: Door[FileFormat] = Door("file format", {}, FileFormat)


def find_format(name: str, offered: Iterable[str] = FORMATS) -> Format:
    """The format of this name, or a guest's; where there is none, the message lists those of ours that are `offered`.

    Raises:
        UsageError: there is none.
    """
    if name in FORMATS:
        return FORMATS[name]
    try:
        if ":" not in name and FORMAT_DOOR.found(name, "format") is None:
            listed = ", ".join([*offered, *FORMAT_DOOR.offers(), "package.module:Name"])
            raise UsageError(f"{show(name)} is no format; there are {listed}.")
        guest = FORMAT_DOOR.open(name, "format")
    except InputError as error:
        raise UsageError(str(error)) from error
    if getattr(guest, "kind", None) not in USUAL:
        raise UsageError(f"format: {name} has no `kind` that is one of {', '.join(USUAL)}.")
    made = guest()
    write = None if guest.write is FileFormat.write else made.write
    if guest.kind == "corpus":
        return _corpus(made.read, write)
    return Format(guest.kind, made.read, write, one_word=guest.one_word)


def run_format(name: str, *, texts: bool = True) -> Format:
    """The format of this name, ours or a guest's, as one that a run is written in; `texts`: where these are at hand.

    Raises:
        UsageError: there is none, it is no run's, or holds what is not at hand.
    """
    fit = [own for own, form in FORMATS.items() if _is_written(form, texts)]
    found = find_format(name, fit)
    if not _is_written(found, texts):
        raise UsageError(f"format: a run cannot be written as {show(name)} here; it can as {', '.join(fit)}.")
    return found


def _is_written(form: Format, texts: bool) -> bool:
    """Whether a run can be written in a format, where the passages' texts are at hand or not."""
    return form.kind == "run" and bool(form.write or form.lines) and (texts or not form.texts)


def write_found(
    path: str | os.PathLike[str],
    found: Iterable[found_runs.FoundQuery],
    format_name: str,
    passages: PassageStore | None = None,
    tag: str = "genret",
) -> None:
    """Write what a search found in the format of this name, atomically; contexts need the passages, TREC's lines a tag.

    Memory does not grow with the queries, but for formats that are written from a whole run.

    Raises:
        UsageError: as `run_format`, or it needs passages and there are none.
    """
    form = run_format(format_name)
    if form.lines is not None:
        with text_writer(path) as file:
            for text in form.lines(found, passages, tag):
                file.write(text.encode())
    elif form.write is not None:
        form.write(path, {one.question.query_id: one.hits for one in found})


def open_file(path: str | os.PathLike[str]) -> DataFile:
    """The file to read.

    Raises:
        InputError: there is none, or it is a folder or an archive.
    """
    file = DataFile(Path(path)) if arrow.holds(path) else data_file(path)
    if file is None:
        raise InputError(f"{path}: expected a file, found a folder or an archive; name the file in it.")
    return file


def read(file: DataFile, kind: str) -> Any:
    """What a file of this kind holds, in whichever format it is.

    Raises:
        InputError: a line is wrong.
    """
    return find_format(format_of(file, kind)).read(file)


def format_of(file: DataFile, kind: str) -> str:
    """The one format of this kind that fits a file; the usual one where none or several do.

    Raises:
        InputError: it is JSON, and the usual format is columns.
    """
    found = [name for name in fitting(file) if find_format(name).kind == kind]
    if not found and kind in COLUMNS and is_json(file):
        raise InputError(
            f"{file.label}: JSON in none of the formats of {COLUMNS[kind]}. It begins {show(_first(file)[1])}."
        )
    if len(found) == 1:
        return found[0]
    is_text = kind == "corpus" and file.suffix in TEXTS and not is_json(file)
    return "text-corpus" if is_text and not found else USUAL[kind]


def detect(file: DataFile) -> str:
    """The format of a file, from its name and its first line.

    Raises:
        InputError: none fits, or several do.
    """
    found = fitting(file)
    if len(found) == 1:
        return found[0]
    number, line = _first(file)
    guess = f"it could be {' or '.join(found)}" if found else "no format is recognised"
    if line.lstrip()[:1] in ("{", "[") and not found:
        fields = ", ".join(map(show, json_object(file, number, line)))
        guess += f" by the fields {fields} (BEIR's corpus has _id, title and text, its queries _id and text)"
    if found == NO_INPUT:
        guess += " (field 'input': missing, so that a task has no queries, as KILT's TriviaQA files)"
    elif not found and "\t" not in line and "," in line and not is_json(file):
        guess += " (columns separated by commas are not read: write tabs between them)"
    guess += f"; name its format with --from. It begins {show(line) if line else 'nowhere: it is empty'}."
    raise InputError(f"{file.label}: {guess}")


def fitting(file: DataFile) -> list[str]:
    """The formats that a file can be of, from its name and its first line; none for an empty file.

    Where installed formats recognise it, they are the ones. Where fields are named, it is records that have them.
    """
    if arrow.holds(file.path):
        return ["arrow-corpus"]
    if file.suffix in DOCUMENTS:
        return [DOCUMENTS[file.suffix]]
    line = _first(file)[1]
    if file.options.names_fields:
        return [records_format(file, line)]
    if guests := [name for name in FORMAT_DOOR.offers() if FORMAT_DOOR.known(name, name)().recognises(line)]:
        return guests
    is_array = file.suffix == ".json" and line.lstrip().startswith("[")
    return json_formats(file, line) if is_array or is_json(file) else column_formats(file, line)


def is_json(file: DataFile) -> bool:
    """Whether a file begins as JSON does, and not as columns."""
    if arrow.holds(file.path):
        return False
    line = _first(file)[1]
    return begins_object(line) or begins_array(line)


def _first(file: DataFile) -> tuple[int, str]:
    """The first line that is neither blank nor a comment, and its number; nothing for a file without one."""
    return next((found for found in file.lines() if not trec.is_comment(found[1])), (0, ""))
