"""KILT's files: tasks (questions, claims, mentions, slots, dialogues), guesses, and the knowledge source.

F. Petroni et al., "KILT: a Benchmark for Knowledge Intensive Language Tasks", NAACL 2021. A page is named by its
`wikipedia_id`; a paragraph is `<wikipedia_id>#<number>`, the number as in the knowledge source, and the n-th piece
of a page, when it was split, `<wikipedia_id>#<first>-<last>.<n>` with the paragraphs that it is from: a passage's
id says where it stands, so that one run is scored by pages and by paragraphs. Ids are compared as strings, whether
a file has them as strings or as numbers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.records import Record, Unique, records
from genret.corpus.split import Unit, split_paragraphs
from genret.corpus.types import Judgements, Passage, Query, Run
from genret.corpus.writing import text_writer
from genret.errors import InputError

__all__ = [
    "KiltLine",
    "Level",
    "Page",
    "guess_line",
    "judgements",
    "lines",
    "locate",
    "page_of",
    "pages",
    "passages",
    "queries",
    "run",
    "split_page",
    "task_lines",
    "write_lines",
    "write_run",
]

Level = Literal["page", "paragraph"]
# What names a piece of evidence, at each level.
KEYS: dict[Level, tuple[str, ...]] = {
    "page": ("wikipedia_id",),
    "paragraph": ("wikipedia_id", "start_paragraph_id", "end_paragraph_id"),
}
MARK = "#"
PLACE = re.compile(
    rf"(?P<page>.+){MARK}" r"(?P<first>\d{1,9})(-(?P<last>\d{1,9}))?(\.\d{1,9})?", re.ASCII | re.DOTALL
)
PARAGRAPH = re.compile(r"-?[0-9]{1,9}")
# No page has more; a larger range is a mistake.
MOST_PARAGRAPHS = 100_000


class Page(NamedTuple):
    """A page of the knowledge source."""

    page_id: str
    title: str
    paragraphs: list[str]


@dataclass(frozen=True)
class KiltLine:
    """One line of a task or a guess file; `content` is all of it, as read."""

    line_id: str
    content: dict[str, Any]

    @property
    def text(self) -> str:
        """The input; empty where a guess file leaves it out."""
        text: str = self.content.get("input") or ""
        return text

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Answers and provenances; empty where a test file leaves them out."""
        outputs: list[dict[str, Any]] = self.content.get("output") or []
        return outputs

    @property
    def answers(self) -> list[str]:
        """The distinct answers that are not blank, in order."""
        found = (output.get("answer") for output in self.outputs)
        return list(dict.fromkeys(answer.strip() for answer in found if answer and answer.strip()))


def lines(file: DataFile) -> Iterator[KiltLine]:
    """Every line of a task or a guess file.

    Raises:
        InputError: no id, an id that occurred before, or a field that has another type than KILT's.
    """
    return (line for _, line in _lines(file))


def _lines(file: DataFile) -> Iterator[tuple[Record, KiltLine]]:
    unique, count = Unique("line"), 0
    for record in records(file):
        line_id = _scalar(record, "id", record.content.get("id"))
        unique.add(file, record.line, "id", line_id)
        record.text("input", default="")
        _check_outputs(record)
        yield record, KiltLine(line_id, record.content)
        count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(
            f"{file.label}: it has no line; expected one JSON object a line, with id and input."
        )


def task_lines(file: DataFile) -> Iterator[KiltLine]:
    """The lines of a task file: each has an input."""
    for record, line in _lines(file):
        if not line.text.strip():
            raise record.problem(
                "input",
                f"missing or empty in the line with id {show(line.line_id)}; it is the query. (KILT's TriviaQA files come "
                "without it: put TriviaQA's questions in by their ids.)",
            )
        yield line


def queries(file: DataFile) -> Iterator[Query]:
    """The inputs of a task file as queries."""
    return (Query(line.line_id, line.text) for line in task_lines(file))


def judgements(file: DataFile, level: Level = "page") -> Judgements:
    """Every page (or paragraph) of any evidence set, with grade 1; lines without evidence are left out.

    Raises:
        EmptyFileError: no line has evidence, as in the test files that KILT keeps the answers of.
    """
    judged: Judgements = {}
    for line in lines(file):
        found: dict[str, int] = {}
        for output in line.outputs:
            for piece in output.get("provenance") or []:
                found.update(dict.fromkeys(_passage_ids(piece, level), 1))
        if found:
            judged[line.line_id] = found
    if not judged:
        raise EmptyFileError(
            f"{file.label}: it has no judgement; expected lines with provenance in their output."
        )
    return judged


def run(file: DataFile, level: Level = "page") -> Run:
    """A guess file as a run: its provenance in order, repetitions left out; a hit's score is minus its rank.

    At the paragraph level a piece counts as its first paragraph, or as its page where it names none.
    """
    found: Run = {}
    for line in lines(file):
        pieces = [piece for output in line.outputs[:1] for piece in output.get("provenance") or []]
        ids = dict.fromkeys(
            passage_id
            for piece in pieces
            for passage_id in (_passage_ids(piece, level) or _passage_ids(piece, "page"))[:1]
        )
        found[line.line_id] = [(passage_id, -float(rank)) for rank, passage_id in enumerate(ids, 1)]
    return found


def write_lines(path: str | os.PathLike[str], lines: Iterable[KiltLine]) -> None:
    """Write task or guess lines as they were read."""
    with text_writer(path) as file:
        for line in lines:
            file.write(json.dumps(line.content, ensure_ascii=False).encode() + b"\n")


def write_run(path: str | os.PathLike[str], run: Run) -> None:
    """Write a guess file: in rank order, each once, the pages of the hits, or their paragraphs where ids name them.

    Every query has a line, one without hits an empty provenance.
    """
    with text_writer(path) as file:
        for query_id, hits in run.items():
            file.write(guess_line(query_id, [passage_id for passage_id, _ in hits]).encode())


def guess_line(query_id: str, passage_ids: Iterable[str]) -> str:
    """The line of one query, as `write_run` writes it.

    Raises:
        InputError: an id has white space at its ends, which KILT takes off: another could be equal then.
    """
    ids = [query_id, *passage_ids]
    if padded := next((one for one in ids if one != one.strip()), None):
        raise InputError(
            f"the id {show(padded)} cannot stand in a KILT file: white space is at its ends; rename it, or choose a "
            "format that can hold it (genret-run)."
        )
    places = dict.fromkeys(map(locate, ids[1:]))
    content = {"id": query_id, "output": [{"provenance": [_piece(*place) for place in places]}]}
    return json.dumps(content, ensure_ascii=False) + "\n"


def pages(file: DataFile) -> Iterator[Page]:
    """Every page of the knowledge source, with all its paragraphs, blank ones too: their numbers count.

    Raises:
        InputError: a line is no page, or the page of another.
    """
    unique, found = Unique("page"), False
    for record in records(file):
        page_id = _scalar(record, "wikipedia_id", record.content.get("wikipedia_id"))
        unique.add(file, record.line, "wikipedia_id", page_id)
        title = record.text("wikipedia_title")
        paragraphs = record.content.get("text")
        if not isinstance(paragraphs, list) or not all(isinstance(text, str) for text in paragraphs):
            raise record.problem("text", f"expected a list of paragraphs, found {show(paragraphs)}.")
        if any("\0" in text for text in paragraphs):
            raise record.problem("text", "a NUL in a paragraph; remove it.")
        yield Page(page_id, title, paragraphs)
        found = True
    unique.finish(file)
    if not found:
        raise EmptyFileError(f"{file.label}: it has no page; expected one a line, as a JSON object.")


def passages(file: DataFile) -> Iterator[Passage]:
    """Every paragraph with a text of the knowledge source, as a passage of its own, under its page's title.

    A page without any is a passage as well, found by its title and named by its page alone.
    """
    for page in pages(file):
        if not any(text.strip() for text in page.paragraphs):
            yield Passage(page.page_id, page.title, "")
        for number, text in enumerate(page.paragraphs):
            if text.strip():
                yield Passage(f"{page.page_id}{MARK}{number}", page.title, text.strip())


def split_page(
    page: Page, words: int = 100, *, by: Unit = "words", across_paragraphs: bool = True
) -> Iterator[Passage]:
    """The pieces of a page, of at most `words` words each, under its title; see `genret.corpus.split`."""
    pieces = split_paragraphs(page.paragraphs, words, by=by, across_paragraphs=across_paragraphs)
    for number, piece in enumerate(pieces):
        passage_id = f"{page.page_id}{MARK}{piece.first}-{piece.last}.{number}"
        yield Passage(passage_id, page.title, piece.text)


def locate(passage_id: str) -> tuple[str, int | None, int | None]:
    """The page of a passage, and its first and last paragraph; None where the id names a page only."""
    match = PLACE.fullmatch(passage_id)
    if match is None:
        return passage_id, None, None
    first = int(match["first"])
    return match["page"], first, int(match["last"] or first)


def page_of(passage_id: str) -> str:
    """The page of a passage of the knowledge source; an id without a paragraph is a page itself."""
    return locate(passage_id)[0]


def _scalar(record: Record, field: str, value: object) -> str:
    """An id, as a string."""
    named = isinstance(value, (str, int)) and not isinstance(value, bool)
    if not named or not str(value).strip() or "\0" in str(value):
        raise record.problem(field, f"expected a string or a whole number, found {show(value)}.")
    return str(value).strip()


def _check_outputs(record: Record) -> None:
    outputs = record.content.get("output")
    if outputs is None:
        return
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise record.problem("output", f"expected a list of objects, found {show(outputs)}.")
    for output in outputs:
        answer, pieces = output.get("answer"), output.get("provenance")
        if answer is not None and not isinstance(answer, str):
            raise record.problem("answer", f"expected a string, found {show(answer)}.")
        if pieces is None:
            continue
        if not isinstance(pieces, list) or not all(isinstance(piece, dict) for piece in pieces):
            raise record.problem("provenance", f"expected a list of objects, found {show(pieces)}.")
        for piece in pieces:
            _check_piece(record, piece)


def _check_piece(record: Record, piece: dict[str, Any]) -> None:
    if piece.get("wikipedia_id") is not None:
        _scalar(record, "wikipedia_id", piece["wikipedia_id"])
    bounds = [piece.get(field) for field in ("start_paragraph_id", "end_paragraph_id")]
    for field, value in zip(("start_paragraph_id", "end_paragraph_id"), bounds, strict=True):
        if value is not None and not PARAGRAPH.fullmatch(_scalar(record, field, value)):
            raise record.problem(field, f"expected a paragraph's number, found {show(value)}.")
    first, last = (0 if value is None else int(value) for value in bounds)
    if None not in bounds and abs(last - first) > MOST_PARAGRAPHS:
        raise record.problem("end_paragraph_id", f"{last} is too far from start_paragraph_id {first}.")


def _passage_ids(piece: dict[str, Any], level: Level) -> list[str]:
    """The page of a piece of evidence, or each of its paragraphs; nothing where it does not say."""
    page = piece.get("wikipedia_id")
    if page is None or level == "page":
        return [] if page is None else [str(page).strip()]
    first = piece.get("start_paragraph_id")
    last = piece.get("end_paragraph_id", first)
    if first is None or last is None:
        return []
    first, last = sorted((int(first), int(last)))
    return [f"{str(page).strip()}{MARK}{number}" for number in range(first, last + 1)]


def _piece(page: str, first: int | None, last: int | None) -> dict[str, Any]:
    if first is None:
        return {"wikipedia_id": page}
    return {"wikipedia_id": page, "start_paragraph_id": first, "end_paragraph_id": last}
