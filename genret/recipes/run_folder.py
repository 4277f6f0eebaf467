"""The folder of a run: new, or in the place of an earlier run, which is kept until the new one has ended well.

Knows what runs leave in their folders; trains nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genret.artefact import MANIFEST, refuse_foreign
from genret.errors import InputError
from genret.recipes.shared_trie import TRIE
from genret.training.loop.trainer import CHECKPOINTS, METRICS

__all__ = ["LAST", "MODEL", "run_folder"]

_log = logging.getLogger(__name__)

# Folders of a run.
MODEL, LAST = "model", "model-last"
UNFINISHED = (".tmp", ".old", ".new")


@contextmanager
def run_folder(
    output: str | os.PathLike[str], *, resume: bool = False, overwrite: bool = False
) -> Iterator[None]:
    """Make way for a run in `output`; what it replaces moves aside, to `.NAME.replaced` beside it.

    When the block ends well that is removed. When it fails before the new run has left anything, it comes back; else
    it stays, and a warning names it. A run that was killed is found so by the next.

    Raises:
        InputError: `output` exists and neither `resume` nor `overwrite` is given, or there is something in it that no
            run has left there.
    """
    place = Path(os.path.abspath(output))
    aside = place.with_name(f".{place.name}.replaced")
    if aside.exists() and not place.exists():
        aside.rename(place)
    if resume:
        shutil.rmtree(place / LAST, ignore_errors=True)  # this run's end may be another
    elif place.exists():
        _move(place, aside, overwrite)
    try:
        yield
    except BaseException:
        _move_back(place, aside)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _move(place: Path, aside: Path, overwrite: bool) -> None:
    if not overwrite:
        raise InputError(
            f"{place} exists already; pass --resume to go on with the run in it, --overwrite to replace it, or "
            "output=FOLDER to choose another."
        )
    refuse_foreign(place, _is_of_a_run)
    if aside.exists() and not (place / MODEL).exists():
        shutil.rmtree(place)  # it never had a model, and what it should have replaced is still there
        return
    shutil.rmtree(aside, ignore_errors=True)
    place.rename(aside)


def _move_back(place: Path, aside: Path) -> None:
    if not aside.exists():
        return
    if place.exists() and any(path.is_file() for path in place.rglob("*")):
        _log.warning("What %s held before is kept as %s until a run there ends well.", place, aside)
        return
    shutil.rmtree(place, ignore_errors=True)
    aside.rename(place)


def _is_of_a_run(path: Path) -> bool:
    if path.name.startswith("."):
        return path.name.endswith(UNFINISHED)
    if not path.is_dir():
        return path.name == TRIE
    names = {one.name for one in path.iterdir()}
    return not names or not names.isdisjoint([MANIFEST, METRICS, CHECKPOINTS])
