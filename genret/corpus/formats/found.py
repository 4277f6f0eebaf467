"""A run with everything that a search found: JSON lines, each a query with its passages and what found them.

Knows queries, passages by their ids, docids and n-grams as text. A passage of an n-gram search has matches in
place of a docid. The other formats of a run hold less and are made from this one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.dpr import Question, context_entry
from genret.corpus.formats.kilt import guess_line
from genret.corpus.formats.records import Record, Unique, json_object, records
from genret.corpus.formats.runs import run_lines
from genret.corpus.store import PassageStore
from genret.corpus.types import MetadataValue, Run
from genret.errors import UsageError

__all__ = [
    "FoundMatch",
    "FoundPassage",
    "FoundQuery",
    "RunLines",
    "dpr_lines",
    "fid_lines",
    "found_line",
    "found_of_line",
    "found_queries",
    "genret_lines",
    "kilt_lines",
    "run",
    "trec_lines",
]


# Whole numbers from here on are no scores: not every one is a float.
LARGEST = 1 << 53


class FoundMatch(NamedTuple):
    """An n-gram, as text, that found a passage, and what it added to the passage's score."""

    text: str
    score: float


class FoundPassage(NamedTuple):
    """One hit; `docid` is empty where `matches` found the passage, or where nobody said; `metadata` its fields."""

    passage_id: str
    score: float
    docid: str = ""
    matches: tuple[FoundMatch, ...] = ()
    metadata: Mapping[str, MetadataValue] = {}


class FoundQuery(NamedTuple):
    """A query, the answers that count as right (none where there are no labels), and its hits, best first."""

    question: Question
    passages: list[FoundPassage]

    @property
    def hits(self) -> list[tuple[str, float]]:
        """Passage ids and scores, as a run has them."""
        return [(passage.passage_id, passage.score) for passage in self.passages]


# What was found, the corpus (None where it is not at hand) and the run's tag -> text, a query at a time.
RunLines: TypeAlias = Callable[[Iterable[FoundQuery], PassageStore | None, str], Iterator[str]]


def genret_lines(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Iterator[str]:
    """All of it, a query a line."""
    return map(found_line, found)


def trec_lines(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Iterator[str]:
    """TREC's six columns; see `genret.corpus.formats.runs`."""
    return (run_lines(one.question.query_id, one.hits, tag) for one in found)


def kilt_lines(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Iterator[str]:
    """KILT's guesses; see `genret.corpus.formats.kilt`."""
    return (guess_line(one.question.query_id, [hit[0] for hit in one.hits]) for one in found)


def dpr_lines(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Iterator[str]:
    """DPR's retrieved contexts: one JSON array of questions with answers and texts of hits."""
    mark = "[\n"
    for entry in _contexts(found, passages):
        yield mark + entry
        mark = ",\n"
    yield "\n]\n" if mark == ",\n" else "[]\n"


def fid_lines(found: Iterable[FoundQuery], passages: PassageStore | None, tag: str) -> Iterator[str]:
    """The same entries one a line: Fusion-in-Decoder's reader takes either (Izacard and Grave, EACL 2021)."""
    return (entry + "\n" for entry in _contexts(found, passages))


def _contexts(found: Iterable[FoundQuery], passages: PassageStore | None) -> Iterator[str]:
    if passages is None:
        raise UsageError("contexts hold the passages' texts: name the model folder, which has them.")
    for one in found:
        yield json.dumps(context_entry(one.question, one.hits, passages), ensure_ascii=False)


def found_line(found: FoundQuery) -> str:
    """One query as a line."""
    question = found.question
    content: dict[str, Any] = {"query_id": question.query_id, "query": question.text}
    if question.answers:
        content["answers"] = question.answers
    content["hits"] = [_entry(passage) for passage in found.passages]
    return json.dumps(content, ensure_ascii=False) + "\n"


def found_queries(file: DataFile) -> Iterator[FoundQuery]:
    """Every query of the file.

    Raises:
        InputError: a line is wrong, or a query or a hit of one occurs twice.
    """
    unique, count = Unique("query"), 0
    for record in records(file):
        unique.check(record, "query_id")
        yield _found(record)
        count += 1
    unique.finish(file)
    if not count:
        raise EmptyFileError(f"{file.label}: it has no query; expected one a line, with query_id and hits.")


def found_of_line(file: DataFile, number: int, line: str) -> FoundQuery:
    """The query of one line of a file.

    Raises:
        InputError: the line is wrong.
    """
    return _found(Record(file, number, json_object(file, number, line)))


def run(file: DataFile) -> Run:
    """The passages and scores only."""
    return {found.question.query_id: found.hits for found in found_queries(file)}


def _found(record: Record) -> FoundQuery:
    asked = record.identifier("query_id"), record.text("query", default=""), _texts(record, "answers")
    return FoundQuery(Question(*asked), _passages(record))


def _entry(passage: FoundPassage) -> dict[str, Any]:
    content: dict[str, Any] = {"passage_id": passage.passage_id, "score": passage.score}
    if passage.docid:
        content["docid"] = passage.docid
    if passage.matches:
        content["matches"] = [match._asdict() for match in passage.matches]
    if passage.metadata:
        content["metadata"] = dict(passage.metadata)
    return content


def _passages(record: Record) -> list[FoundPassage]:
    hits = _objects(record, "hits", record.content.get("hits"))
    found = [
        FoundPassage(
            _text(record, "passage_id", hit),
            _number(record, "score", hit),
            _string(record, "docid", hit) if "docid" in hit else "",
            tuple(
                FoundMatch(_string(record, "text", match), _number(record, "score", match))
                for match in _objects(record, "matches", hit.get("matches", []))
            ),
            _metadata(record, hit.get("metadata", {})),
        )
        for hit in hits
    ]
    ids = [passage.passage_id for passage in found]
    if len(set(ids)) < len(ids):
        raise record.problem("hits", f"a passage occurs twice in {show(ids)}.")
    return found


def _metadata(record: Record, fields: object) -> dict[str, MetadataValue]:
    values = fields.values() if isinstance(fields, dict) else [None]
    if not all(
        isinstance(one, str | int) or (isinstance(one, float) and math.isfinite(one)) for one in values
    ):
        raise record.problem(
            "metadata", f"expected an object of texts, numbers and flags, found {show(fields)}."
        )
    return cast(dict[str, MetadataValue], fields)


def _objects(record: Record, field: str, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise record.problem(field, f"expected a list of objects, found {show(value)}.")
    return value


def _texts(record: Record, field: str) -> list[str]:
    value = record.content.get(field, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise record.problem(field, f"expected a list of texts, found {show(value)}.")
    return value


def _text(record: Record, field: str, entry: dict[str, Any]) -> str:
    value = _string(record, field, entry)
    if not value.strip() or "\0" in value:
        raise record.problem(field, f"expected a text in every entry, found {show(value)}.")
    return value


def _string(record: Record, field: str, entry: dict[str, Any]) -> str:
    """What tokens spell: it may be a blank, a control character, or nothing that can be seen."""
    value = entry.get(field)
    if not isinstance(value, str):
        raise record.problem(field, f"expected a string in every entry, found {show(value)}.")
    return value


def _number(record: Record, field: str, entry: dict[str, Any]) -> float:
    value = entry.get(field)
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    if whole or (isinstance(value, float) and math.isfinite(value)):
        return float(value)  # type: ignore[arg-type]
    raise record.problem(field, f"expected a finite number in every entry, found {show(value)}.")
