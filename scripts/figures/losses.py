"""Loss curves of several runs over their steps, from a table beside the figure: a column of steps, and one for each run."""

from __future__ import annotations

import csv
from pathlib import Path

from docid.figure_file import figure_file

# The second is broken, so that the first is seen below it.
STYLES = ("-", "--", ":", "-.")


def draw(table: Path, output: Path) -> None:
    """The runs of `table`, tab-separated: its first column is `step`."""
    with table.open(encoding="utf-8", newline="") as file:
        (_, *runs), *rows = csv.reader(file, delimiter="\t")
    steps = [int(row[0]) for row in rows]
    with figure_file(output, (7, 3.6)) as figure:
        axes = figure.subplots()
        for place, run in enumerate(runs):
            losses = [float(row[place + 1]) for row in rows]
            axes.plot(steps, losses, linestyle=STYLES[place % len(STYLES)], label=run)
        axes.set(xlabel="step", ylabel="loss", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
