"""Figures of results are what their pages' tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from floats import assert_close

from genret.study.growth_figure import draw_growth
from scripts.figures import DOCS, FIGURES, points

NUMBER = re.compile(r"-?\d+\.?\d*")
# Of a point; positions are written to six digits, and nobody sees a hundredth of a point.
UNSEEN = 0.01


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_what_its_table_says(name: str, tmp_path: Path) -> None:
    page, metric = FIGURES[name]
    found = points(DOCS / "results" / page, metric)
    assert len(found) >= 5
    draw_growth(found, metric, tmp_path / name)
    drawn, kept = ((folder / name).read_text(encoding="utf-8") for folder in (tmp_path, DOCS / "figures"))
    assert NUMBER.sub("", drawn) == NUMBER.sub("", kept), "make figures"
    assert_close(*([float(one) for one in NUMBER.findall(text)] for text in (drawn, kept)), within=UNSEEN)


def test_rows_become_points(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| | queries | hit@1 | hit@10 |\n| --- | --- | --- | --- |\n"
        "| 1,000 passages: dense | 5 | .5 [.4, .6] | .9 [.8, 1.0] |\n"
        "| 10,000 passages: dense, 3 seeds | 5 | .4 [.3, .5] | .75 [.7, .8] |\n\n"
        "| 10 passages: another table | 5 | .5 [.4, .6] | .9 [.8, 1.0] |\n"
    )
    assert points(page, "hit@10") == {"dense": [(1000, 0.9, 0.8, 1.0), (10000, 0.75, 0.7, 0.8)]}
    page.write_text("| | hit@10 |\n| 10 passages: dense | much |\n")
    with pytest.raises(SystemExit, match=r"page\.md: 10 passages: dense: found 'much'"):
        points(page, "hit@10")
