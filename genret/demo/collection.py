"""What a demo runs on: passages, questions that are kept out of training, and where their files lie.

Knows corpora and judgements; knows nothing of models.
"""

from __future__ import annotations

import platform
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genret.artefact import file_digest
from genret.corpus import (
    Judgements,
    Passage,
    Query,
    read_judgements,
    read_passages,
    read_queries,
    write_judgements,
)
from genret.corpus.formats.beir import write_passages, write_queries
from genret.demo.questions import DemoQuestion, judgements_of, read_questions
from genret.demo.stdlib_corpus import stdlib_passages
from genret.errors import InputError

__all__ = ["DemoCollection", "judged_collection", "stdlib_collection", "write_split"]

HELD_OUT = ("dev", "test")


@dataclass(frozen=True)
class DemoCollection:
    """A corpus with questions.

    Attributes:
        name: in words.
        folder: `corpus.jsonl` and `queries.jsonl`, in BEIR's layout.
        passages, questions: in order; no question takes part in training.
        test: the questions' judgements, in a file.
        train: judgements of other queries of `queries.jsonl`, to train on; None where there are none.
        digest: changes whenever the corpus does.
        messages: what the user should know about how it was made.
    """

    name: str
    folder: Path
    passages: list[Passage]
    questions: list[DemoQuestion]
    test: Path
    train: Path | None
    digest: str
    messages: list[str]


def stdlib_collection(folder: Path) -> DemoCollection:
    """The documentation of this interpreter's standard library, without any labels for training."""
    folder.mkdir(parents=True, exist_ok=True)
    passages = stdlib_passages()
    questions, messages = read_questions({one.passage_id for one in passages})
    write_passages(folder / "corpus.jsonl", passages)
    _write_queries(folder, questions)
    name = f"the documentation of Python {platform.python_version()}'s standard library"
    test = write_split(folder, "test", questions)
    return DemoCollection(name, folder, passages, questions, test, None, _digest(folder), messages)


def judged_collection(place: Path, folder: Path) -> DemoCollection:
    """A BEIR folder, or BoolQ's files, in a folder or a wheel: asked its dev (or test) questions.

    Its train questions, where there are any, are for training.

    Raises:
        InputError: it cannot be read, or has neither dev nor test judgements.
    """
    passages = list(read_passages(place))
    passage_ids = {one.passage_id for one in passages}
    texts = {query.query_id: query.text for query in read_queries(place)}
    questions = _questions(_held_out(place, passage_ids), texts)
    taught, messages = _taught(place, passage_ids, texts, {one.query_id for one in questions})
    folder.mkdir(parents=True, exist_ok=True)
    write_passages(folder / "corpus.jsonl", passages)
    _write_queries(folder, [*questions, *taught])
    test = write_split(folder, "test", questions)
    train = write_split(folder, "train", taught) if taught else None
    return DemoCollection(str(place), folder, passages, questions, test, train, _digest(folder), messages)


def write_split(folder: Path, split: str, questions: Sequence[DemoQuestion]) -> Path:
    """Write `qrels/<split>.tsv`, in BEIR's layout, and return its path."""
    judgements = folder / "qrels" / f"{split}.tsv"
    judgements.parent.mkdir(exist_ok=True)
    write_judgements(judgements, judgements_of(questions))
    return judgements


def _write_queries(folder: Path, questions: Sequence[DemoQuestion]) -> None:
    write_queries(folder / "queries.jsonl", (Query(one.query_id, one.text) for one in questions))


def _digest(folder: Path) -> str:
    return file_digest(folder / "corpus.jsonl")


def _questions(judged: Judgements, texts: Mapping[str, str]) -> list[DemoQuestion]:
    right = {
        query_id: [one for one, grade in grades.items() if grade > 0] for query_id, grades in judged.items()
    }
    return [DemoQuestion(one, texts[one], tuple(right[one])) for one in judged if right[one] and one in texts]


def _held_out(place: Path, passage_ids: Container[str]) -> Judgements:
    reasons = []
    for split in HELD_OUT:
        try:
            return read_judgements(place, split, passage_ids=passage_ids)
        except InputError as error:
            reasons.append(str(error))
    raise InputError(reasons[0])


def _taught(
    place: Path, passage_ids: Container[str], texts: Mapping[str, str], held_out: Container[str]
) -> tuple[list[DemoQuestion], list[str]]:
    """The train questions that are not held out; none, with a message, where there are no judgements of them."""
    try:
        judged = read_judgements(place, "train", passage_ids=passage_ids)
    except InputError as error:
        return [], [f"trained without questions: {error}"]
    return [one for one in _questions(judged, texts) if one.query_id not in held_out], []
