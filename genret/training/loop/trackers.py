"""Metrics to TensorBoard, Weights & Biases or trackio, for those who have them.

Knows their three ways of taking numbers; `metrics.jsonl` is written in any case, by `metrics`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docid.extras import needs
from genret.errors import UsageError

__all__ = ["TRACKERS", "Tracker", "open_tracker"]

# Takes metrics by name and the step that they are of.
Tracker = Callable[[Mapping[str, float], int], None]


def open_tracker(name: str, folder: Path) -> Tracker:
    """A tracker for the run in `folder`.

    Raises:
        UsageError: there is no tracker of this name, or its package is not installed.
    """
    if name not in TRACKERS:
        raise UsageError(f"report_to: found {name!r}, there are {', '.join(TRACKERS)}.")
    module, build = TRACKERS[name]
    with needs(f"report_to: {name}", name):
        library = importlib.import_module(module)
    return build(library, folder)


def _tensorboard(library: Any, folder: Path) -> Tracker:
    writer = library.SummaryWriter(str(folder / "tensorboard"))

    def write(metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return write


def _run_logger(library: Any, folder: Path) -> Tracker:
    """wandb, and trackio, which has its interface."""
    library.init(project="genret", name=str(folder))
    return lambda metrics, step: library.log(dict(metrics), step=step)


TRACKERS: dict[str, tuple[str, Callable[[Any, Path], Tracker]]] = {
    "tensorboard": ("torch.utils.tensorboard", _tensorboard),
    "wandb": ("wandb", _run_logger),
    "trackio": ("trackio", _run_logger),
}
