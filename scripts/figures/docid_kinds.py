"""Kinds of docids side by side, from a table of the docid report: what each step leaves open, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from docid.figure_file import figure_file
from scripts.figures.tables import table_with

# A measure of each level, the title of its panel, and how it is read.
LEVELS = (
    ("perplexity by level", "Perplexity of the token", "equally frequent tokens", "log"),
    ("branching by level", "Legal next tokens", "mean over prefixes", "log"),
    ("purity by level", "Purity", "share of the likeliest title", "linear"),
)
HITS = ("greedy hit@1", "beam hit@1", "beam hit@10")
CEILING = ("dense hit@1", "dense hit@1", "dense hit@10")


def draw(page: Path, number: int, output: Path) -> None:
    """The report's table `number` (from 0) of the page."""
    header, *rows = table_with(page, "semantic", "residual", "product", number=number)
    kinds, cells = header[1:], {row[0]: row[1:] for row in rows}
    with figure_file(output, (10, 7)) as figure:
        *by_level, hits = figure.subplots(2, 2).ravel()
        for axes, (measure, title, unit, scale) in zip(by_level, LEVELS, strict=True):
            for kind, cell in zip(kinds, cells[measure], strict=True):
                values = [float(value) for value in cell.split(" / ")]
                axes.plot(range(1, len(values) + 1), values, marker="o", label=kind)
            axes.set(title=title, xlabel="position", ylabel=unit, yscale=scale, xticks=range(1, 5))
            axes.grid(alpha=0.3)
        _draw_hits(hits, kinds, cells)
        figure.legend(*by_level[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds))


def _draw_hits(axes: Any, kinds: list[str], cells: dict[str, list[str]]) -> None:
    """Bars of nearest-centroid retrieval, and what the vectors themselves reach."""
    places, width = np.arange(len(HITS)), 0.8 / len(kinds)
    for number, _ in enumerate(kinds):
        shift = (number - (len(kinds) - 1) / 2) * width
        axes.bar(places + shift, [float(cells[hit][number]) for hit in HITS], width)
    ceiling = [float(cells[name][0]) for name in CEILING]
    axes.hlines(ceiling, places - 0.45, places + 0.45, color="#333333", linestyle="--", linewidth=1)
    axes.set(title="Nearest centroids (line: the vectors themselves)", ylabel="share of queries")
    axes.set_xticks(places, HITS)
    axes.grid(alpha=0.3, axis="y")
