"""The engine behind the trainer: it owns the parameters' gradients, their update and their state on disk.

Knows modules, optimizers and files; knows no data, schedule or metric. The seam for engines that shard any of
these: the trainer calls nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genret.errors import ArtefactError, InputError
from genret.training.batch import Batch
from genret.training.losses import LossSums

__all__ = ["Engine", "OptimizerOptions", "TorchEngine"]

MODEL_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"
OPTIMIZER_CONFIG = "optimizer.json"


class Engine(Protocol):
    """What the trainer needs of whatever runs the model."""

    def loss(self, batch: Batch) -> LossSums:
        """Forward pass in training mode."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of a scalar."""
        ...

    def step(self, learning_rate: float) -> float:
        """Clip, update and clear the gradients; return their norm before clipping.

        A norm that is not finite means that nothing was updated.
        """
        ...

    def skip(self) -> None:
        """Clear the gradients without an update."""
        ...

    def save_state(self, folder: Path) -> None:
        """Write parameters and optimizer state into an existing folder."""
        ...

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` wrote, into the same parameters."""
        ...


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW (Loshchilov and Hutter, ICLR 2019), with the gradients' norm clipped.

    Attributes:
        weight_decay: on matrices; vectors (biases, norms) have none.
        clip: largest norm of all gradients together; 0 for no clipping.
    """

    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-8
    clip: float = 1.0


class TorchEngine:
    """One process, plain torch.

    Frozen parameters are neither updated nor saved.

    Args:
        module: maps a `Batch` to `LossSums`.
    """

    def __init__(self, module: nn.Module, options: OptimizerOptions) -> None:
        self.module = module
        self.options = options
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise InputError("the model has no trainable parameter; unfreeze a part of it.")
        self.optimizer = torch.optim.AdamW(
            _groups(list(self.parameters.values()), options.weight_decay),
            betas=(options.beta1, options.beta2),
            eps=options.epsilon,
            foreach=True,
        )

    def loss(self, batch: Batch) -> LossSums:
        """Forward pass in training mode."""
        self.module.train()
        sums: LossSums = self.module(batch)
        return sums

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of a scalar."""
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self, learning_rate: float) -> float:
        """Clip, update and clear the gradients; return their norm before clipping."""
        limit = self.options.clip or float("inf")
        norm = float(torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), limit))
        if norm < float("inf"):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
        self.skip()
        return norm

    def skip(self) -> None:
        """Clear the gradients without an update."""
        self.optimizer.zero_grad(set_to_none=True)

    def save_state(self, folder: Path) -> None:
        """Write parameters and optimizer state into an existing folder."""
        save_file({name: p.detach().contiguous() for name, p in self.parameters.items()}, folder / MODEL_FILE)
        tensors = {
            f"{name}/{key}": value.contiguous()
            for name, parameter in self.parameters.items()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }
        save_file(tensors, folder / OPTIMIZER_FILE)
        content = {"optimizer": "AdamW", "parameters": {n: list(p.shape) for n, p in self.parameters.items()}}
        (folder / OPTIMIZER_CONFIG).write_text(json.dumps(content, indent=1), encoding="utf-8")

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` wrote, into the same parameters.

        Raises:
            InputError: the checkpoint holds other parameters than this model has.
            ArtefactError: a file is not what its name says.
        """
        weights, state = _read(folder / MODEL_FILE), _read(folder / OPTIMIZER_FILE)
        self._check_same(weights, folder)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(weights[name])
        self.optimizer.state.clear()
        for key, value in state.items():
            name, _, entry = key.rpartition("/")
            parameter = self.parameters[name]
            moved = value if entry == "step" else value.to(parameter.device)
            self.optimizer.state[parameter][entry] = moved

    def _check_same(self, weights: dict[str, Tensor], folder: Path) -> None:
        here: dict[str, Any] = {name: tuple(p.shape) for name, p in self.parameters.items()}
        there = {name: tuple(tensor.shape) for name, tensor in weights.items()}
        differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        if differing:
            name = differing[0]
            raise InputError(
                f"{folder}: {name} has shape {there.get(name)} there and {here.get(name)} in this model "
                f"({len(differing)} parameters differ); resume with the configuration that the run began with."
            )


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: damaged: {error}.") from error
    return tensors
