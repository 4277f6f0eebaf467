"""Checkpoints of a run: complete or absent, the newest complete one chosen, the oldest removed.

Knows folders and an engine's `save_state`; knows nothing of examples or losses. A checkpoint is published by
one rename with its manifest written last, so a killed run leaves no half of one behind.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from genret.artefact import check_folder, publish_folder
from genret.errors import ArtefactError
from genret.training.engine import Engine

__all__ = ["load_checkpoint", "newest_checkpoint", "save_checkpoint"]

KIND, VERSION = "training checkpoint", 1
TRAINER_FILE, RANDOM_FILE = "trainer.json", "random.safetensors"
_NAME = re.compile(r"step-(\d{8,})")
_log = logging.getLogger(__name__)


def save_checkpoint(folder: Path, engine: Engine, state: dict[str, Any], *, keep: int) -> Path:
    """Write `folder/step-NNNNNNNN`, then remove all but the `keep` newest up to it.

    Later ones go as well: this run passed them over as damaged, and they must not displace its own.

    Args:
        state: JSON-able; holds at least `step`, the number of steps done, which is also where the sampler
            stands.
    """
    place = folder / f"step-{state['step']:08d}"
    meta = {"step": state["step"]}
    with publish_folder(place, kind=KIND, version=VERSION, meta=meta, overwrite=True) as scratch:
        engine.save_state(scratch)
        save_file(_random_states(), scratch / RANDOM_FILE)
        (scratch / TRAINER_FILE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    found = _found(folder)
    here = found.index(place)
    for old in found[:here] + found[here + keep :]:
        shutil.rmtree(old)
    return place


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint; a damaged one is named in a warning and passed over."""
    for place in _found(folder):
        try:
            check_folder(place, kind=KIND, version=VERSION)
        except ArtefactError as error:
            _log.warning("%s The checkpoint before it is used.", error)
        else:
            return place
    return None


def load_checkpoint(place: Path, engine: Engine) -> dict[str, Any]:
    """Restore engine and random states; return the trainer's state."""
    engine.load_state(place)
    state: dict[str, Any] = json.loads((place / TRAINER_FILE).read_text(encoding="utf-8"))
    _restore_random_states(load_file(place / RANDOM_FILE))
    return state


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
    for device in range(torch.cuda.device_count()):
        states[f"cuda.{device}"] = torch.cuda.get_rng_state(device)
    return states


def _restore_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["torch"])
    place, has_gauss = states["numpy.place"].tolist()
    keys = states["numpy.keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, place, has_gauss, float(states["numpy.gauss"])))
    for device in range(torch.cuda.device_count()):
        if f"cuda.{device}" in states:
            torch.cuda.set_rng_state(states[f"cuda.{device}"], device)
