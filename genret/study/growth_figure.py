"""A metric as a corpus grows: one figure, a line for each system. Knows numbers only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from docid.figure_file import figure_file
from genret.recipes.baseline_runs import BASELINES

__all__ = ["Point", "draw_growth"]


class Point(NamedTuple):
    """A mean with its 95 % interval, at a number of passages."""

    passages: int
    mean: float
    low: float
    high: float


def draw_growth(systems: Mapping[str, Sequence[Point]], metric: str, path: str | os.PathLike[str]) -> None:
    """A metric against the number of passages: a line for each system, those of baselines broken.

    Raises:
        UsageError: matplotlib is not installed.
        InputError: it cannot write this kind of file.
    """
    with figure_file(path, (9, 4.8)) as figure:
        axes = figure.subplots()
        from matplotlib import colormaps

        axes.set_prop_cycle(color=colormaps["tab20"](range(20)))  # the default repeats after ten
        for system, points in systems.items():
            errors = [[one.mean - one.low for one in points], [one.high - one.mean for one in points]]
            axes.errorbar(
                [one.passages for one in points],
                [one.mean for one in points],
                yerr=errors,
                fmt="o",
                linestyle="--" if system in BASELINES else "-",
                capsize=3,
                label=system,
            )
        axes.set(xscale="log", xlabel="passages", ylabel=metric)
        axes.grid(alpha=0.3)
        # Beside the lines, which may be anywhere.
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize="small")
