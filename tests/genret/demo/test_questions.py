from __future__ import annotations

import re
import sys

import pytest

from genret.demo.docstrings import Entry
from genret.demo.questions import DemoQuestion, read_questions

QUESTIONS, _ = read_questions()


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def phrases(text: str, length: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + length]) for start in range(len(found) - length + 1)}


def test_there_are_enough_different_questions_over_many_modules() -> None:
    assert len(QUESTIONS) >= 70
    assert len({tuple(words(question.text)) for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question.query_id for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question.passage_ids[0].partition(".")[0] for question in QUESTIONS}) >= 50


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.query_id)
def test_question_names_each_passage_once_and_in_its_own_words(
    question: DemoQuestion, entries: dict[str, Entry]
) -> None:
    assert len(set(question.passage_ids)) == len(question.passage_ids) >= 1
    for name in question.passage_ids:
        if name in entries:
            shared = phrases(question.text, 6) & phrases(f"{entries[name].title} {entries[name].text}", 6)
            assert not shared, f"{question.text!r} copies {shared} from {name}"


def test_passages_exist_on_this_interpreter(entries: dict[str, Entry]) -> None:
    missing = {name for question in QUESTIONS for name in question.passage_ids if name not in entries}
    if sys.version_info[:2] == (3, 11):
        assert not missing
    else:
        # Modules that later versions removed, and names that moved.
        assert len(missing) <= 0.05 * sum(len(question.passage_ids) for question in QUESTIONS), missing


def test_few_questions_are_left_out_here(entries: dict[str, Entry]) -> None:
    kept, messages = read_questions(entries.keys())
    assert len(kept) >= 70
    assert len(kept) + len(messages) == len(QUESTIONS)


def test_a_question_keeps_what_exists_and_goes_with_a_message_when_nothing_does() -> None:
    present = {name for question in QUESTIONS[1:] for name in question.passage_ids} | {
        QUESTIONS[1].passage_ids[0]
    }
    present -= set(QUESTIONS[0].passage_ids)
    kept, messages = read_questions(present)
    assert QUESTIONS[0].query_id not in {question.query_id for question in kept}
    assert any(QUESTIONS[0].query_id in line and QUESTIONS[0].passage_ids[0] in line for line in messages)
    assert all(set(question.passage_ids) <= present for question in kept)
