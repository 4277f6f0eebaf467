"""Checkpoints of a run: complete or absent, the newest good one chosen, the oldest removed.

Knows folders, processes and an engine's `save_state`; knows nothing of examples or losses. All processes write
their shares into one scratch folder and meet; the first then writes the manifest and publishes the folder by one
rename, so a killed run leaves no half of one behind. One whose numbers are not all finite, or whose loss is not, is
ruined: it says so in its name and its manifest, is never chosen, and no good one makes room for it.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from fm_index.files import foreign, read_json
from genret.artefact import check_folder, publish_folder
from genret.errors import ArtefactError
from genret.training.engines.engine import Engine
from genret.training.engines.processes import World

__all__ = [
    "discard_unfinished",
    "load_checkpoint",
    "mark_ruined",
    "newest_checkpoint",
    "place_of",
    "rotate",
    "save_checkpoint",
]

KIND, VERSION = "training checkpoint", 2
TRAINER_FILE, RANDOM_FILE = "trainer.json", "random-{:05d}.safetensors"
RUINED = "-ruined"
_NAME = re.compile(r"step-(\d{8,})")
_log = logging.getLogger(__name__)


def place_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step-{step:08d}"


def save_checkpoint(
    folder: Path,
    engine: Engine,
    state: dict[str, Any],
    *,
    sound: bool = True,
    world: World | None = None,
) -> bool:
    """Write `folder/step-NNNNNNNN`, or `step-NNNNNNNN-ruined`; whether it is a good one.

    Args:
        state: JSON-able; holds at least `step`, the number of steps done.
        sound: whether the model has a finite loss, the same in all processes; what is not finite in what is written
            makes the checkpoint a ruined one as well.

    Raises:
        OSError, InputError: some process could not write its share; nothing is published.
    """
    world = world or World()
    place = place_of(folder, state["step"])
    meta: dict[str, Any] = {"step": state["step"]}
    with _shared_scratch(place, meta, world) as scratch:
        meta["good"] = engine.save_state(scratch) and sound
        save_file(_random_states(), scratch / RANDOM_FILE.format(world.rank))
        if world.is_first:
            (scratch / TRAINER_FILE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    if not meta["good"]:
        mark_ruined(folder, state["step"], world)
    good: bool = meta["good"]
    return good


def rotate(folder: Path, step: int, keep: int, protected: Collection[int] = ()) -> None:
    """Remove all checkpoints but the `keep` newest up to that of `step`, and those of the steps `protected`.

    Later ones go as well: this run passed them over as damaged, and they must not displace its own.
    """
    found, kept = _found(folder), {place_of(folder, one) for one in protected}
    here = found.index(place_of(folder, step))
    for old in found[:here] + found[here + keep :]:
        if old not in kept:
            shutil.rmtree(old)


def mark_ruined(folder: Path, first: int, world: World) -> None:
    """Say in their names that the checkpoints from step `first` on are ruined."""
    with world.together():
        if not world.is_first:
            return
        for place in _found(folder):
            ruined = place.with_name(place.name + RUINED)
            if place >= place_of(folder, first) and not ruined.exists():
                place.rename(ruined)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete and good checkpoint; a damaged one is named in a warning and passed over."""
    for place in _found(folder):
        try:
            meta = check_folder(place, kind=KIND, version=VERSION)
        except ArtefactError as error:
            _log.warning("%s The checkpoint before it is used.", error)
            continue
        if meta.get("good", True):
            return place
    return None


def discard_unfinished(folder: Path) -> None:
    """Remove what a killed run was still writing."""
    for scratch in folder.glob(".step-*.tmp"):
        shutil.rmtree(scratch)


def load_checkpoint(place: Path, engine: Engine, world: World | None = None) -> dict[str, Any]:
    """Restore engine and random states; return the trainer's state.

    Raises:
        ArtefactError: what the checkpoint holds is not what one holds.
    """
    world = world or World()
    state: dict[str, Any] = read_json(place / TRAINER_FILE)
    if (
        not isinstance(state, dict)
        or type(state.get("step")) is not int
        or place_of(place.parent, state["step"]) != place
    ):
        raise ArtefactError(f"{place / TRAINER_FILE}: damaged: it does not say the step of its checkpoint.")
    engine.load_state(place)
    random_file = place / RANDOM_FILE.format(world.rank)
    if random_file.is_file():
        with foreign(random_file, "random states"):
            _restore_random_states(load_file(random_file))
    else:
        _log.warning("%s was written by fewer processes; process %d draws anew.", place, world.rank)
        torch.manual_seed(state["step"] * 1_000_003 + world.rank)
    return state


@contextmanager
def _shared_scratch(place: Path, meta: dict[str, Any], world: World) -> Iterator[Path]:
    """One scratch folder for all processes; it is published when all of them have left the block unharmed.

    `good` of the manifest's `meta` is then what all of them say.
    """
    with ExitStack() as stack:
        scratch = None
        with world.together():
            if world.is_first:
                publishing = publish_folder(place, kind=KIND, version=VERSION, meta=meta, overwrite=True)
                scratch = str(stack.enter_context(publishing))
        named = Path(world.broadcast(scratch))
        with world.together():
            yield named
        meta["good"] = world.sum([not meta["good"]])[0] == 0
        with world.together():
            stack.close()  # the manifest, then the rename


def _found(folder: Path) -> list[Path]:
    """Folders named like checkpoints, newest first."""
    if not folder.is_dir():
        return []
    steps = {int(m[1]): p for p in folder.iterdir() if p.is_dir() and (m := _NAME.fullmatch(p.name))}
    return [steps[step] for step in sorted(steps, reverse=True)]


def _random_states() -> dict[str, torch.Tensor]:
    """torch's generators and numpy's legacy one, which model libraries draw from; our own need no state."""
    _, keys, place, has_gauss, gauss = np.random.get_state()
    states = {
        "torch": torch.get_rng_state(),
        "numpy.keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "numpy.place": torch.tensor([place, has_gauss], dtype=torch.int64),
        "numpy.gauss": torch.tensor([gauss], dtype=torch.float64),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["torch"])
    place, has_gauss = states["numpy.place"].tolist()
    keys = states["numpy.keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, place, has_gauss, float(states["numpy.gauss"])))
    if torch.cuda.is_available() and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
