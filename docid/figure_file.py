"""Figures as files: matplotlib where it is installed, and a file that appears whole; knows nothing of what is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docid.errors import InputError
from docid.extras import needs
from fm_index.container import atomic_writer

__all__ = ["figure_file"]

# The one style of all figures. White, so that they are readable on a dark page too; the same bytes at every drawing.
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.edgecolor": "#666666",
    "axes.titlesize": "medium",
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "svg.fonttype": "none",  # text that can be searched and read aloud
    "svg.hashsalt": "genret",
}


@contextmanager
def figure_file(path: str | os.PathLike[str], size: tuple[float, float]) -> Iterator[Any]:
    """An empty figure of `size` inches to draw on, which is written to `path` at the end of the block.

    Raises:
        UsageError: matplotlib is not installed.
        InputError: it cannot write this kind of file.
    """
    with needs("a figure", "matplotlib", extra="figures"):
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        kind = Path(path).suffix.lstrip(".") or "png"
        try:
            with atomic_writer(path) as file:
                figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
        except ValueError as error:
            raise InputError(
                f"{path}: matplotlib cannot write this kind of figure ({error}); name a .png or .svg."
            ) from error
