from __future__ import annotations

import re

from rich.console import Console, RenderableType
from rich.table import Table

from genret.demo import pages
from genret.demo.pages import Answer, AnsweredHit, Failure, StepView
from genret.demo.search_steps import Prefix
from genret.evaluation.result_tables import ResultTable
from genret.evaluation.significance import Interval
from genret.retrieval.docids import Standing


def text_of(page: RenderableType, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(page)
    return capture.get()


def row(text: str, name: str) -> list[str]:
    """The cells of the line that begins with `name`."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name))
    return re.split(r"\s{2,}", line.strip())


def test_plan_names_each_part() -> None:
    text = text_of(
        pages.plan_page("What happens now", [("read", "5,521 [passages]"), ("train", "three minutes")])
    )
    assert "What happens now" in text
    assert row(text, "read") == ["read", "5,521 [passages]"]
    assert row(text, "train") == ["train", "three minutes"]


def test_scores_show_the_table() -> None:
    cells = {"hit@1": Interval(0.5, 0.41, 0.59), "MRR@10": Interval(0.6125, 0.5, 0.7)}
    table = ResultTable("", ("hit@1", "MRR@10"), {"model": (146, cells), "BM25": (146, cells)})
    text = text_of(pages.scores_page("Scores of all", table.rich()))
    assert "Scores of all" in text
    assert all(name in text for name in ("hit@1", "MRR@10", "model", "BM25", ".500 [.410, .590]", "146"))


def test_scores_of_the_longest_names_fit_eighty_columns() -> None:
    cells = {name: Interval(0.123, 0.123, 0.456) for name in ("hit@1", "hit@10", "MRR@10")}
    table = ResultTable("", tuple(cells), {"dense, same encoder": (3270, cells)})
    text = text_of(pages.scores_page("Scores", table.rich()), width=80)
    assert text.count(".123 [.123, .456]") == 3
    assert "dense, same encoder" in text


def test_steps_show_the_shrinking_set() -> None:
    first = StepView(
        1,
        10,
        32,
        1800,
        [Prefix(["<a_3>"], 0.75, 0.75, 512, "os.walk(top)"), Prefix(["<a_9>"], 0.0001, 0.0001, 9, "x")],
    )
    second = StepView(2, 4, 90, 41, [Prefix(["<a_3>", "<b_1>"], 0.5, 0.375, 7, "a" * 100)])
    third = StepView(3, 4, 4, 9, [Prefix(["<a_3>", "<b_1>", "<c_0>"], 0.5, 0.375, 7, "x")])
    text = text_of(pages.steps_page("find [all] files", [first, second, third], 5521, "full"))
    assert "find [all] files" in text
    assert "5,521 passages can be reached" in text
    assert "step 1    1,800 passages can be reached; 10 of 32 legal continuations kept" in text
    assert "step 2    41 passages can be reached; 4 of 90 legal continuations kept" in text
    assert row(text, "<a_3>  ") == ["<a_3>", "0.750", "0.75", "512", "os.walk(top)"]
    assert row(text, "<a_9>")[1:3] == ["0.000", "0.00"]
    assert row(text, "<a_3> <b_1>")[1:4] == ["0.500", "0.38", "7"]
    assert "a" * 29 + "…" in text
    assert row(text, "… <b_1> <c_0>")[1:4] == ["0.500", "0.38", "7"]
    assert "log-probabilities over all tokens" in text


def test_answers_mark_the_right_passages() -> None:
    hits = [
        AnsweredHit(1, "os.walk(top)", 0.5, True, "walk top"),
        AnsweredHit(2, "list[int] (class)", 0.25, False),
    ]
    text = text_of(pages.answers_page("Five answers", [Answer("find files", hits), Answer("nothing", [])]))
    assert row(text, "1 ") == ["1", "0.50", "os.walk(top)", "right", "walk top"]
    assert row(text, "2 ") == ["2", "0.25", "list[int] (class)"]
    assert "nothing found" in text


def test_failures_say_where_the_right_passage_stands() -> None:
    failures = [Failure("where?", "wrong()", "right()", Standing(9.5, 1044, 8.0, 3, 1.5, 2000))]
    text = text_of(pages.failures_page("One failure", failures), width=200)
    assert "1,044; by codes alone 3, by words alone 2,000" in text


def test_costs_come_with_the_word_when_they_were_measured() -> None:
    costs = Table("stage", "time")
    costs.add_row("train", "1m 30s")
    text = text_of(pages.cost_page(costs, "measured just now"))
    assert "train" in text
    assert "measured just now" in text


def test_pages_fit_a_narrow_terminal() -> None:
    hits = [AnsweredHit(1, "a very long title " * 10, 0.5, True)]
    page = pages.answers_page("Answers", [Answer("q", hits)])
    assert all(len(line) <= 60 for line in text_of(page, width=60).splitlines())
