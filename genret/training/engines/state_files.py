"""Parameters and optimizer state as files, the same for every engine and any number of processes.

Knows names, tensors and safetensors files; knows no engine. Each process writes whole tensors of a share of the
names, so that what two processes wrote sharded can be read by one, or by four. DeepSpeed's own checkpoints (pickles,
bound to a number of processes) are not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fm_index.files import foreign, open_regular
from genret.errors import ArtefactError, InputError

__all__ = ["MOMENTS", "StoredState", "owners", "write_state"]

MODEL_FILE, OPTIMIZER_FILE = "model-{:05d}.safetensors", "optimizer-{:05d}.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")


def owners(sizes: Mapping[str, int], processes: int) -> dict[str, int]:
    """Which process writes each tensor: the largest first, each to whoever has least."""
    loads = [0] * processes
    owner = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        owner[name] = loads.index(min(loads))
        loads[owner[name]] += sizes[name]
    return owner


def write_state(folder: Path, rank: int, weights: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> bool:
    """Write this process's share: `weights` by name, `state` as `name/entry`; whether all its numbers are finite.

    Raises:
        OSError: the files cannot be written.
    """
    for pattern, tensors in ((MODEL_FILE, weights), (OPTIMIZER_FILE, state)):
        path = folder / pattern.format(rank)
        try:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        except SafetensorError as error:  # how safetensors says that the disk is full
            raise OSError(f"{path}: {error}") from error
    return all(bool(tensor.isfinite().all()) for tensor in (*weights.values(), *state.values()))


class StoredState:
    """What all processes wrote, a tensor at a time.

    Raises:
        InputError: the parameters are not those of `shapes`, of which one is named.
        ArtefactError: a file is not what its name says.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, Iterable[int]]) -> None:
        self.folder = folder
        self._weights: dict[str, Any] = _index(folder, MODEL_FILE)
        self._state: dict[str, Any] = _index(folder, OPTIMIZER_FILE)
        here = {name: tuple(shape) for name, shape in shapes.items()}
        there = {name: tuple(file.get_slice(name).get_shape()) for name, file in self._weights.items()}
        owners = {name.rpartition("/")[0] for name in self._state}
        if foreign_names := sorted(owners - there.keys()):
            raise ArtefactError(
                f"{folder}: damaged: it has optimizer state of {foreign_names[0]}, which it lacks."
            )
        differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        if differing:
            name = differing[0]
            raise InputError(
                f"{folder}: {name} has shape {there.get(name)} there and {here.get(name)} in this model "
                f"({len(differing)} parameters differ); resume with the configuration that the run began with."
            )

    def weight(self, name: str) -> Tensor:
        """A parameter."""
        return _finite(self.folder, name, self._weights[name].get_tensor(name))

    def entries(self, name: str) -> dict[str, Tensor]:
        """A parameter's optimizer state: `step` and `MOMENTS`; empty before its first update."""
        keys = [key for entry in ("step", *MOMENTS) if (key := f"{name}/{entry}") in self._state]
        return {
            key.rpartition("/")[2]: _finite(self.folder, key, self._state[key].get_tensor(key))
            for key in keys
        }


def _index(folder: Path, pattern: str) -> dict[str, Any]:
    """Every tensor's file, open."""
    index: dict[str, Any] = {}
    for path in sorted(folder.glob(pattern.replace("{:05d}", "*"))):
        with foreign(path, "safetensors"), open_regular(path):
            file: Any = safe_open(path, "pt")
            names = list(file.keys())
        if twice := sorted(index.keys() & names):
            raise ArtefactError(f"{path}: damaged: {twice[0]} is in another file of this checkpoint as well.")
        index.update(dict.fromkeys(names, file))
    return index


def _finite(folder: Path, name: str, tensor: Tensor) -> Tensor:
    if not bool(tensor.isfinite().all()):
        raise ArtefactError(f"{folder}: damaged: {name} holds a number that is not finite.")
    return tensor
