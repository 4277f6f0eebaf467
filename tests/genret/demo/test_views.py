from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from floats import FORWARD, LOGITS, assert_close

from genret.demo import page_data
from genret.demo.page_data import answer, failure, spread, step_views
from genret.demo.questions import DemoQuestion
from genret.demo.search_steps import Branch, Step
from genret.retrieval.docids import Hit, Standing


class Shelf(list[Any]):
    def row(self, passage_id: str) -> int:
        return next(row for row, one in enumerate(self) if one.passage_id == passage_id)


def passages() -> Shelf:
    return Shelf(SimpleNamespace(passage_id=name, title=f"title of {name}", text="text") for name in "abcd")


def made_up() -> Any:
    return SimpleNamespace(passages=passages())


def hits(*names: str) -> list[Hit]:
    return [Hit(rank, name, "docid", math.log(1 / (rank + 1))) for rank, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [5]), (2, [2, 7]), (5, [1, 3, 5, 7, 9]), (10, list(range(10))), (99, list(range(10)))],
)
def test_spread_takes_evenly_and_never_twice(count: int, expected: list[int]) -> None:
    assert spread(list(range(10)), count) == expected
    assert spread([], count) == []


def test_answer_marks_right_hits_and_keeps_the_limit() -> None:
    found = answer(made_up(), DemoQuestion("q", "which?", ("b", "d")), hits("a", "b", "c"), limit=2)
    assert found.question == "which?"
    assert [(hit.rank, hit.title, hit.right) for hit in found.hits] == [
        (1, "title of a", False),
        (2, "title of b", True),
    ]
    assert_close(
        [hit.score for hit in found.hits], [math.log(1 / 2), math.log(1 / 3)], ulps=FORWARD, scale=LOGITS
    )


def test_answer_shows_the_first_right_hit_wherever_it_is() -> None:
    found = answer(made_up(), DemoQuestion("q", "which?", ("d", "b")), hits("a", "c", "d", "b"), limit=1)
    assert [(hit.rank, hit.right) for hit in found.hits] == [(1, False), (3, True)]


STEPS = [Step(1, 2, [Branch((2,), 0.9, -0.1)], []), Step(2, 2, [Branch((2, 4), 0.8, -0.3)], [])]


def test_failure_tells_of_the_best_right_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    standings = {"c": Standing(1.0, 31, 0.0, 5, 1.0, 6), "b": Standing(1.0, 30, 0.0, 7, 1.0, 8)}
    retriever = made_up()
    retriever.standing = lambda question, passage_id: standings[passage_id]
    told = failure(retriever, DemoQuestion("q", "which?", ("c", "b")), hits("d"))
    assert told == ("which?", "title of d", "title of b", standings["b"])
    assert failure(retriever, DemoQuestion("q", "which?", ("c",)), []).first == ""


def test_of_many_steps_those_that_double_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_data, "reachable", lambda retriever, step: 7)
    monkeypatch.setattr(page_data, "prefixes", lambda retriever, step, limit: [])
    steps = [Step(number, 1, [], []) for number in range(1, 34)]
    assert [one.number for one in step_views(made_up(), steps, 3)] == [1, 2, 4, 8, 16, 32, 33]


def test_step_views_count_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_data, "reachable", lambda retriever, step: 7)
    monkeypatch.setattr(page_data, "prefixes", lambda retriever, step, limit: [limit])
    ended = [Branch((3, 1), -1.0, -3.0)]
    last = Step(2, 2, STEPS[1].live, ended)
    found = step_views(made_up(), [STEPS[0], last], limit=3)
    assert [(one.number, one.kept, one.of, one.reachable, one.beams) for one in found] == [
        (1, 1, 2, 7, [3]),
        (2, 2, 3, 7, [3]),
    ]
