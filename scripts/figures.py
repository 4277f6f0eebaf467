"""Draws the figures of the pages of results anew from the tables of those pages: `make figures`.

    python -m scripts.figures [FOLDER]

A row "10,000 passages: dense | 500 | .992 [.984, .998] | ..." is a point with its interval; rows of one system are a
line. So figure and table cannot disagree, and no run is needed. FOLDER: where to write, docs/figures if left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from genret.study.growth_figure import Point, draw_growth

DOCS = Path(__file__).resolve().parent.parent / "docs"
# The page that each figure is drawn from, and the column.
FIGURES = {"haystacks.svg": ("haystacks.md", "hit@10"), "scale.svg": ("training_data.md", "hit@10")}
ROW = re.compile(r"^([\d,]+) passages: (.+?)(?:, \d+ seeds)?$")
VALUE = re.compile(r"(\.\d+|1\.0+) \[(\.\d+|1\.0+), (\.\d+|1\.0+)\]")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "figures"
    for name, (page, metric) in FIGURES.items():
        draw_growth(points(DOCS / "results" / page, metric), metric, folder / name)
        print(folder / name)


def points(page: Path, metric: str) -> dict[str, list[Point]]:
    """The points of every system, in the order of the first table whose rows are sizes and systems."""
    systems: dict[str, list[Point]] = {}
    column = None
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if metric in cells:
            column = cells.index(metric)
        elif column is not None and (row := ROW.match(cells[0])):
            value = VALUE.fullmatch(cells[column])
            if value is None:
                sys.exit(
                    f"{page.name}: {cells[0]}: found {cells[column]!r}, expected a mean and its interval."
                )
            mean, low, high = map(float, value.groups())
            systems.setdefault(row[2], []).append(Point(int(row[1].replace(",", "")), mean, low, high))
        elif systems:
            break
    return systems


if __name__ == "__main__":
    main()
