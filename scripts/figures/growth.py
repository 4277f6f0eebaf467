"""A metric against the size of a corpus, from a page's table.

A row "10,000 passages: dense | 500 | .992 [.984, .998] | ..." is a point with its interval; rows of one system are a
line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from genret.study.growth_figure import Point, draw_growth
from scripts.figures.tables import tables

ROW = re.compile(r"^([\d,]+) passages: (.+?)(?:, \d+ seeds)?$")
VALUE = re.compile(r"(\.\d+|1\.0+) \[(\.\d+|1\.0+), (\.\d+|1\.0+)\]")


def draw(page: Path, metric: str, output: Path) -> None:
    draw_growth(points(page, metric), metric, output)


def points(page: Path, metric: str) -> dict[str, list[Point]]:
    """The points of every system, in the order of the first table whose rows are sizes and systems."""
    systems: dict[str, list[Point]] = {}
    for header, *rows in tables(page):
        if metric not in header or not ROW.match(rows[0][0]):
            continue
        for row in rows:
            if system := ROW.match(row[0]):
                point = Point(int(system[1].replace(",", "")), *_interval(page, row, header.index(metric)))
                systems.setdefault(system[2], []).append(point)
        break
    return systems


def _interval(page: Path, row: list[str], column: int) -> tuple[float, float, float]:
    value = VALUE.fullmatch(row[column])
    if value is None:
        sys.exit(f"{page.name}: {row[0]}: found {row[column]!r}, expected a mean and its interval.")
    mean, low, high = map(float, value.groups())
    return mean, low, high
