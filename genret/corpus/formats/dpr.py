"""DPR's files: passages (`psgs_w100.tsv`), questions with answers (`.qa.csv`, training JSON), retrieved contexts.

V. Karpukhin et al., "Dense Passage Retrieval for Open-Domain Question Answering", EMNLP 2020. Questions have no
ids in these files: a question's id is its number, from 0. The contexts file is what Fusion-in-Decoder reads.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from genret.corpus.answers import has_answer
from genret.corpus.formats.columns import PAIR, flat, rows
from genret.corpus.formats.datafile import DataFile, EmptyFileError, show
from genret.corpus.formats.msmarco import read_passages
from genret.corpus.formats.records import begins_array, parse_json, records
from genret.corpus.formats.runs import check_ids
from genret.corpus.store import PassageStore
from genret.corpus.types import Judgements, Passage, Query, Run
from genret.corpus.writing import text_writer
from genret.errors import InputError

__all__ = [
    "Question",
    "context_entry",
    "judgements",
    "passages",
    "queries",
    "questions",
    "run",
    "write_passages",
    "write_questions",
]

HEADER = ("id", "text", "title")


class Question(NamedTuple):
    """A question and the answers that count as right."""

    query_id: str
    text: str
    answers: list[str]


def passages(file: DataFile) -> Iterator[Passage]:
    """The passages of a `psgs_w100.tsv`: id, text and title, quoted where they hold quotes; a header line."""
    return read_passages(file, HEADER, quoted=True)


def write_passages(path: str | os.PathLike[str], passages: Iterable[Passage]) -> None:
    """Write passages as DPR reads them; white space becomes single spaces."""
    with text_writer(path) as file:
        file.write("\t".join(HEADER).encode() + b"\n")
        for passage in passages:
            check_ids(passage.passage_id)
            columns = (passage.passage_id, _quoted(flat(passage.text)), _quoted(flat(passage.title)))
            file.write("\t".join(columns).encode() + b"\n")


def questions(file: DataFile) -> Iterator[Question]:
    """The questions and answers of a `.qa.csv`, of training JSON or of a contexts file.

    Raises:
        InputError: a line or an entry is wrong, or an answer is empty: it would match any text.
    """
    if _is_json(file):
        for index, entry in enumerate(_entries(file)):
            answers = entry.get("answers", [])
            if not isinstance(answers, list) or not all(
                isinstance(one, str) and one.strip() for one in answers
            ):
                raise _problem(file, index, "answers", f"expected a list of texts, found {show(answers)}")
            yield Question(_entry_id(entry, index), _text(file, index, entry, "question"), answers)
    else:
        yield from _qa_lines(file)


def _qa_lines(file: DataFile) -> Iterator[Question]:
    """Question, tab, a list of strings in Python's or JSON's notation."""
    index = -1
    for index, (number, row) in enumerate(rows(file, PAIR, tuple(PAIR), quoted=True)):
        if not row["question"].strip():
            raise file.problem(number, ", field 'question': empty; give it a value or drop the line.")
        answers = _parse_answers(row["answers"])
        _check_answers(file, number, answers, row["answers"])
        yield Question(str(index), row["question"], answers)
    if index < 0:
        raise EmptyFileError(f"{file.label}: it has no line; expected the columns question, answers.")


def write_questions(path: str | os.PathLike[str], questions: Iterable[Question]) -> None:
    """Write questions and answers, the answers in Python's notation, as DPR reads them."""
    with text_writer(path) as file:
        for question in questions:
            file.write(f"{flat(question.text)}\t{question.answers!r}\n".encode())


def queries(file: DataFile) -> Iterator[Query]:
    """The questions without their answers."""
    return (Query(question.query_id, question.text) for question in questions(file))


def judgements(file: DataFile) -> Judgements:
    """Training JSON: each question's positive contexts, with grade 1."""
    return {
        _entry_id(entry, index): dict.fromkeys(_context_ids(file, index, entry, "positive_ctxs"), 1)
        for index, entry in enumerate(_entries(file))
    }


def run(file: DataFile) -> Run:
    """A contexts file, one array or an entry a line: contexts in their order, a hit's score is minus its rank."""
    found: Run = {}
    for index, entry in enumerate(_entries(file)):
        ids = _context_ids(file, index, entry, "ctxs")
        if len(set(ids)) < len(ids):
            raise _problem(file, index, "ctxs", "a passage occurs twice")
        found[_entry_id(entry, index)] = [
            (passage_id, -float(rank)) for rank, passage_id in enumerate(ids, 1)
        ]
    return found


def context_entry(
    question: Question, hits: Iterable[tuple[str, float]], passages: PassageStore
) -> dict[str, Any]:
    """One question with its answers and the texts of its hits, each marked `has_answer`."""
    contexts = []
    for passage_id, score in hits:
        _, title, text, _ = passages[passages.row(passage_id)]
        contexts.append(
            {
                "id": passage_id,
                "title": title,
                "text": text,
                "score": str(score),
                "has_answer": has_answer(text, question.answers),
            }
        )
    return {
        "id": question.query_id,
        "question": question.text,
        "answers": question.answers,
        "ctxs": contexts,
    }


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"' if '"' in column else column


def _parse_answers(text: str) -> Any:
    """A list in JSON's or Python's notation; None if it is neither."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _check_answers(file: DataFile, number: int, answers: object, shown: str) -> None:
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise file.problem(number, f", field 'answers': expected a list of strings, found {show(shown)}.")
    if any("\ud800" <= character <= "\udfff" for answer in answers for character in answer):
        raise file.problem(number, f", field 'answers': half a surrogate pair in {show(shown)}.")
    if not answers or not all(answer.strip() for answer in answers):
        raise file.problem(number, f", field 'answers': an answer is missing or empty, found {show(shown)}.")


def _is_json(file: DataFile) -> bool:
    return begins_array(next((line for _, line in file.lines()), ""))


def _entries(file: DataFile) -> list[dict[str, Any]]:
    """The objects of a file that is one JSON array, or that has one a line."""
    if not _is_json(file):
        entries: Any = [record.content for record in records(file)]
    else:
        try:
            entries = parse_json("\n".join(line for _, line in file.lines()))
        except ValueError as error:
            raise InputError(f"{file.label}: not JSON ({error}).") from error
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{file.label}: expected a JSON array of objects, found {show(entries)}.")
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        first = seen.setdefault(_entry_id(entry, index), index)
        if first != index:
            raise _problem(
                file, index, "id", f"{show(_entry_id(entry, index))} is that of entry {first} already"
            )
    return entries


def _entry_id(entry: dict[str, Any], index: int) -> str:
    return str(entry.get("id", index))


def _problem(file: DataFile, index: int, field: str, text: str) -> InputError:
    return InputError(f"{file.label}, entry {index}, field {field!r}: {text}.")


def _text(file: DataFile, index: int, entry: dict[str, Any], field: str) -> str:
    value = entry.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _problem(file, index, field, f"expected a text, found {show(value)}")
    return value


def _context_ids(file: DataFile, index: int, entry: dict[str, Any], field: str) -> list[str]:
    """The passage ids of a list of contexts, which DPR's files call `id`, `passage_id` or `psg_id`."""
    contexts = entry.get(field)
    if not isinstance(contexts, list) or not all(isinstance(context, dict) for context in contexts):
        raise _problem(file, index, field, f"expected a list of objects, found {show(contexts)}")
    ids = []
    for context in contexts:
        value = next((context[name] for name in ("id", "passage_id", "psg_id") if name in context), None)
        if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value).strip():
            raise _problem(file, index, field, f"a context without a passage id: {show(context)}")
        ids.append(str(value))
    return ids
