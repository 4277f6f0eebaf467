"""Figures of the documentation are what their tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from floats import assert_close

from scripts.figures import memory
from scripts.figures.__main__ import FIGURES
from scripts.figures.growth import points
from scripts.figures.tables import DOCS, table_with, tables

NUMBER = re.compile(r"-?\d+\.?\d*")
# Of a point; positions are written to six digits, and nobody sees a hundredth of a point.
UNSEEN = 0.01
# What has no numbers.
DRAWINGS = {"fm_index.svg"}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_what_its_table_says(name: str, tmp_path: Path) -> None:
    FIGURES[name](tmp_path / name)
    drawn, kept = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, DOCS / "figures"))
    assert NUMBER.sub("", drawn) == NUMBER.sub("", kept), "make figures"
    assert_close(*([float(one) for one in NUMBER.findall(text)] for text in (drawn, kept)), within=UNSEEN)


def test_every_figure_is_drawn_and_shown() -> None:
    assert {path.name for path in (DOCS / "figures").glob("*.svg")} == {*FIGURES, *DRAWINGS}
    shown = {
        name
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"figures/(\w+\.svg)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == {*FIGURES, *DRAWINGS}


def test_rows_become_points(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| | queries | hit@1 | hit@10 |\n| --- | --- | --- | --- |\n"
        "| 1,000 passages: dense | 5 | .5 [.4, .6] | .9 [.8, 1.0] |\n"
        "| 10,000 passages: dense, 3 seeds | 5 | .4 [.3, .5] | .75 [.7, .8] |\n\n"
        "| | hit@10 |\n| --- | --- |\n| 10 passages: another table | .9 [.8, 1.0] |\n"
    )
    assert points(page, "hit@10") == {"dense": [(1000, 0.9, 0.8, 1.0), (10000, 0.75, 0.7, 0.8)]}
    page.write_text("| | hit@10 |\n| --- | --- |\n| 10 passages: dense | much |\n")
    with pytest.raises(SystemExit, match=r"page\.md: 10 passages: dense: found 'much'"):
        points(page, "hit@10")


def test_tables_are_found_by_their_columns(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| a | b |\n| --- | ---: |\n| 1 | |\n\ntext\n\n| a | c |\n|---|---|\n| 2 | 3 |\n| 4 | 5 |\n"
    )
    assert list(tables(page)) == [[["a", "b"], ["1", ""]], [["a", "c"], ["2", "3"], ["4", "5"]]]
    assert table_with(page, "a", number=1)[0] == ["a", "c"]
    with pytest.raises(SystemExit, match=r"page\.md: found 0 tables with the columns d"):
        table_with(page, "d")


def test_memory_is_what_the_constants_say(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| stage | a unit is a | memory: fixed, GiB | bytes a unit |\n| --- | --- | --- | --- |\n"
        "| split into passages | token | 0.5 | 2 |\n| tokenizer (a sample) | | 0.7 | |\n| trie | passage | 0.4 | 74 |\n"
        "\n| stage | memory: predicted | measured |\n| --- | --- | --- |\n| split | 0.6 GiB | 0.4 |\n"
    )
    expected = [("split into passages", 0.5, 2.0 * memory.TOKENS), ("tokenizer (a sample)", 0.7, 0.0)]
    assert memory.lines(page) == [*expected, ("trie", 0.4, 74.0)]
    assert memory.measurements(page) == {"split": 0.4}
