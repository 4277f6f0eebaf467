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


@contextmanager
def figure_file(path: str | os.PathLike[str], size: tuple[float, float]) -> Iterator[Any]:
    """An empty figure of `size` inches to draw on, which is written to `path` at the end of the block.

    Raises:
        UsageError: matplotlib is not installed.
        InputError: it cannot write this kind of file.
    """
    with needs("a figure", "matplotlib", extra="figures"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    try:
        with atomic_writer(path) as file:
            figure.savefig(file, format=Path(path).suffix.lstrip(".") or "png")
    except ValueError as error:
        raise InputError(
            f"{path}: matplotlib cannot write this kind of figure ({error}); name a .png or .svg."
        ) from error
