"""Peak memory of each stage as a corpus grows: the page's constants as lines, what a larger run took as points."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from docid.figure_file import figure_file
from scripts.figures.tables import table_with

GIB = 2**30
LARGEST = 36e6
# Of a passage of these runs, title included.
TOKENS = 39
CHECKED = re.compile(r"^## Checked at ([\d,]+) passages$", re.MULTILINE)
# What follows a stage's name: how it was run.
NAME = re.compile(r",| \(| into ")
FIXED, RATE, MEASURED = "memory: fixed, GiB", "bytes a unit", "memory: predicted"


def draw(page: Path, output: Path) -> None:
    checked = CHECKED.search(page.read_text(encoding="utf-8"))
    assert checked, f"{page.name}: expected a heading that says at which size the lines were checked"
    size = int(checked[1].replace(",", ""))
    measured = measurements(page)
    reach = np.geomspace(1e4, LARGEST)
    with figure_file(output, (9, 5)) as figure:
        axes = figure.subplots()
        for stage, fixed, rate in lines(page):
            (line,) = axes.plot(reach, fixed + rate * reach / GIB, linewidth=1, label=stage)
            name = NAME.split(stage)[0]
            axes.plot([size], [measured[name]], "o", color=line.get_color())
        axes.set(xscale="log", yscale="log", xlabel=f"passages of {TOKENS} tokens", ylabel="peak memory, GiB")
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize="small")


def lines(page: Path) -> list[tuple[str, float, float]]:
    """Each stage's constant in GiB and its bytes a passage; nothing where it does not grow."""
    header, *rows = table_with(page, FIXED, RATE)
    found = []
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        of_tokens = TOKENS if cells["a unit is a"] == "token" else 1
        found.append((cells["stage"], float(cells[FIXED]), float(cells[RATE] or 0) * of_tokens))
    return found


def measurements(page: Path) -> dict[str, float]:
    """GiB that each stage of the checked run took: the column after the predicted ones."""
    header, *rows = table_with(page, MEASURED)
    column = header.index(MEASURED) + 1
    return {NAME.split(row[0])[0]: float(row[column]) for row in rows}
