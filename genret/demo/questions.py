"""The demo's questions, in a user's words, each with every passage that answers it.

They were written before anything was trained on this corpus and are never tuned to a result. Knows nothing of
any retriever.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import NamedTuple

from genret.corpus.types import Judgements

__all__ = ["DemoQuestion", "judgements_of", "read_questions"]


class DemoQuestion(NamedTuple):
    """A question and the ids of all passages that answer it."""

    query_id: str
    text: str
    passage_ids: tuple[str, ...]


def read_questions(passage_ids: Collection[str] | None = None) -> tuple[list[DemoQuestion], list[str]]:
    """The questions, and a message for each one that the corpus `passage_ids` cannot answer and that is left out.

    Passages come and go between versions of Python: of a question's passages those that exist are kept. With
    `passage_ids=None` every question and every passage is kept.
    """
    kept, messages = [], []
    for line in files("genret.demo").joinpath("questions.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        right = record["passages"]
        found = tuple(one for one in right if passage_ids is None or one in passage_ids)
        if found:
            kept.append(DemoQuestion(record["_id"], record["text"], found))
        else:
            messages.append(
                f"left out {record['_id']} ({record['text']!r}): this interpreter documents none of {', '.join(right)}"
            )
    return kept, messages


def judgements_of(questions: Sequence[DemoQuestion]) -> Judgements:
    """All right passages of each question, with grade 1."""
    return {one.query_id: dict.fromkeys(one.passage_ids, 1) for one in questions}
