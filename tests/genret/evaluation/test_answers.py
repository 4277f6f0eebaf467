"""Answer accuracy at k on passages whose answers are known."""

from __future__ import annotations

import pytest

from genret.corpus import Passage, PassageStore, Question
from genret.errors import InputError
from genret.evaluation import evaluate_answers

STORE = PassageStore.build(
    [Passage("a", "", "Paris is large."), Passage("b", "", "Rome is old."), Passage("c", "", "Neither.")]
)


def test_answers_are_looked_for_in_the_first_k_passages() -> None:
    run = {"0": [("c", 3.0), ("b", 2.0), ("a", 1.0)], "1": [("c", 1.0)]}
    asked = [
        Question("0", "?", ["paris", "rome"]),
        Question("1", "?", ["Paris"]),
        Question("2", "?", ["Paris"]),
    ]
    found = evaluate_answers(run, asked, STORE, (1, 2, 3))
    assert found.metrics == ("answer@1", "answer@2", "answer@3")
    assert found.values.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([Question("0", "?", [])], "question '0' has no answer to look for"),
        ([Question("0", "?", [" "])], "has no word"),
        ([], "there are no questions"),
    ],
)
def test_what_would_match_anything_is_refused(asked: list[Question], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_answers({"0": [("a", 1.0)]}, asked, STORE)


def test_a_passage_that_the_corpus_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="no passage has the id 'zz'"):
        evaluate_answers({"0": [("zz", 1.0)]}, [Question("0", "?", ["x"])], STORE)
