from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from floats import FORWARD, LOGITS, assert_close

from genret.decoding import GoldStep
from genret.demo import page_data
from genret.demo.page_data import answer, failure, spread, step_views
from genret.demo.questions import DemoQuestion
from genret.demo.search_steps import Branch, Step
from genret.retrieval.docids import Hit


class Shelf(list[Any]):
    def row(self, passage_id: str) -> int:
        return next(row for row, one in enumerate(self) if one.passage_id == passage_id)


def passages() -> Shelf:
    return Shelf(SimpleNamespace(passage_id=name, title=f"title of {name}", text="text") for name in "abcd")


def lost_at(step: int, kept: bool = False) -> list[GoldStep]:
    return [GoldStep(step, 5, 1, 2, 2, total=-3.0, cutoff=-0.5, margin=-2.5, kept=kept)]


# How far each passage's docid came in the search.
WAYS = {"a": lost_at(1, kept=True), "b": lost_at(1), "c": lost_at(0), "d": lost_at(0)}


def made_up(wide: list[Hit]) -> Any:
    return SimpleNamespace(
        passages=passages(),
        sequence=lambda passage_id: passage_id,
        trace=lambda text, num_beams: SimpleNamespace(follow=WAYS.get),
        search=lambda text, k: wide,
    )


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
    found = answer(made_up([]), DemoQuestion("q", "which?", ("b", "d")), hits("a", "b", "c"), limit=2)
    assert found.question == "which?"
    assert [(hit.rank, hit.title, hit.right) for hit in found.hits] == [
        (1, "title of a", False),
        (2, "title of b", True),
    ]
    assert_close(
        [hit.score for hit in found.hits], [math.log(1 / 2), math.log(1 / 3)], ulps=FORWARD, scale=LOGITS
    )


def test_answer_shows_the_first_right_hit_wherever_it_is() -> None:
    found = answer(made_up([]), DemoQuestion("q", "which?", ("d", "b")), hits("a", "c", "d", "b"), limit=1)
    assert [(hit.rank, hit.right) for hit in found.hits] == [(1, False), (3, True)]


STEPS = [Step(1, 2, [Branch((2,), 0.9, -0.1)], []), Step(2, 2, [Branch((2, 4), 0.8, -0.3)], [])]


@pytest.mark.parametrize(
    ("right", "wide", "best", "rank", "step"),
    [
        (("c", "b"), ["a", "d", "c", "b"], "c", 3, 0),  # the best rank counts
        (("c", "b"), ["a"], "b", None, 1),  # found nowhere: the one that stayed longest
        (("a",), ["d", "a"], "a", 2, None),  # never left the beam
    ],
)
def test_failure_tells_of_the_best_right_passage(
    right: tuple[str, ...],
    wide: list[str],
    best: str,
    rank: int | None,
    step: int | None,
) -> None:
    told = failure(
        made_up(hits(*wide)), DemoQuestion("q", "which?", right), hits("d"), num_beams=1, searched=50
    )
    assert (told.question, told.first, told.right) == ("which?", "title of d", f"title of {best}")
    assert (told.rank, told.searched) == (rank, 50)
    assert (told.departure.step if told.departure else None) == step


def test_failure_of_a_search_without_hits() -> None:
    assert failure(made_up([]), DemoQuestion("q", "which?", ("a",)), [], 1, 50).first == ""


def test_step_views_count_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_data, "reachable", lambda retriever, step: 7)
    monkeypatch.setattr(page_data, "prefixes", lambda retriever, step, limit: [limit])
    ended = [Branch((3, 1), -1.0, -3.0)]
    last = Step(2, 2, STEPS[1].live, ended)
    found = step_views(made_up([]), [STEPS[0], last], limit=3)
    assert [(one.number, one.kept, one.of, one.reachable, one.beams) for one in found] == [
        (1, 1, 2, 7, [3]),
        (2, 2, 3, 7, [3]),
    ]
