"""The engine behind the trainer: it owns the parameters' gradients, their update and their state on disk.

Knows modules, optimizers and files; knows no data, schedule or metric. The seam for engines that shard any of
these: the trainer calls nothing else. DeepSpeed's is imported only where a configuration names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from docid.extras import missing
from genret.errors import InputError, UsageError
from genret.training.engines.processes import World
from genret.training.engines.row_adam import RowAdam, clip_factor
from genret.training.engines.state_files import StoredState, write_state
from genret.training.examples.batch import Batch, Trainable
from genret.training.loop.training_options import OptimizerOptions, TrainingOptions
from genret.training.losses.losses import LossSums

__all__ = [
    "Engine",
    "OptimizerOptions",
    "TorchEngine",
    "adamw",
    "check_engine",
    "load_plain",
    "load_weights",
    "make_engine",
    "named_state",
    "trainable",
]


class Engine(Protocol):
    """What the trainer needs of whatever runs the model.

    Attributes:
        module: what is trained.
    """

    module: Trainable

    def loss(self, batch: Batch) -> LossSums:
        """Forward pass of this process's micro-batch in training mode."""
        ...

    def weight(self, batch: Batch) -> float:
        """The weight that `loss` will give for the batch, before it is computed."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of a scalar; those of all micro-batches and processes add up."""
        ...

    def step(self, learning_rate: float) -> float:
        """Clip, update and clear the gradients; return their norm before clipping, the same everywhere.

        A norm that is not finite means that nothing was updated.
        """
        ...

    def whole(self) -> AbstractContextManager[None]:
        """Inside, every process holds every parameter of the module, which runs like any other."""
        ...

    def settle(self, folder: Path) -> None:
        """The end of training: the module whole in every process, with the parameters of a checkpoint."""
        ...

    def save_state(self, folder: Path) -> bool:
        """Write this process's share of parameters and optimizer state into an existing folder.

        Returns whether all numbers of the share are finite.
        Processes exchange what they must before the first byte is written: one whose disk is full does not leave
        the others waiting.
        """
        ...

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` of all processes wrote, whatever their number and engine, into the same parameters.

        Raises:
            InputError: the checkpoint holds other parameters than this model has.
            ArtefactError: a file is not what its name says.
        """
        ...


class TorchEngine:
    """One process, plain torch.

    Frozen parameters are neither updated nor saved.

    Args:
        module: what is trained.
        bf16: compute in bfloat16 where autocast does.
    """

    def __init__(self, module: Trainable, options: OptimizerOptions, *, bf16: bool = False) -> None:
        self.module = module
        self.options = options
        self.parameters = trainable(module)
        self.rows = RowAdam(module.row_tables(), options)
        self.optimizer = adamw(self._dense(), options)
        self._autocast = bf16

    def loss(self, batch: Batch) -> LossSums:
        """Forward pass in training mode."""
        self.module.train()
        with torch.autocast(batch.targets.device.type, torch.bfloat16, enabled=self._autocast):
            sums: LossSums = self.module(batch)
        return sums

    def weight(self, batch: Batch) -> float:
        """The batch's weight in the loss."""
        return float(self.module.weight(batch))

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of a scalar."""
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self, learning_rate: float) -> float:
        """Clip, update and clear the gradients; return their norm before clipping."""
        limit = self.options.max_grad_norm
        dense = self._dense()
        gradients = [p.grad for p in dense if p.grad is not None]
        # Both norms are 2-norms of disjoint parts: this is the norm of all.
        norm = math.hypot(float(get_total_norm(gradients)), self.rows.collect())
        if norm < math.inf:
            clip_grads_with_norm_(dense, limit or math.inf, torch.tensor(norm))
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
            self.rows.step(learning_rate, clip_factor(norm, limit))
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _dense(self) -> list[nn.Parameter]:
        """What is not updated by rows."""
        return [p for name, p in self.parameters.items() if name not in self.rows.tables]

    def whole(self) -> AbstractContextManager[None]:
        """Parameters are always whole."""
        return nullcontext()

    def settle(self, folder: Path) -> None:
        """The parameters of a checkpoint, without what only training needs."""
        self.load_state(folder)

    def save_state(self, folder: Path) -> bool:
        """Write parameters and optimizer state into an existing folder; whether all of them are finite."""
        return write_state(
            folder,
            0,
            {name: p.detach() for name, p in self.parameters.items()},
            dict(named_state(self.parameters, self.optimizer)) | self._row_state(),
        )

    def _row_state(self) -> dict[str, Tensor]:
        return {
            f"{name}/{entry}": value
            for name in self.rows.tables
            for entry, value in self.rows.whole(name).items()
            if entry != "weight"
        }

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` wrote, into the same parameters."""
        stored = StoredState(folder, {name: p.shape for name, p in self.parameters.items()})
        load_plain(stored, self.parameters, self.optimizer, self.rows)


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by name.

    Raises:
        InputError: there are none.
    """
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not parameters:
        raise InputError("the model has no trainable parameter; unfreeze a part of it.")
    return parameters


def adamw(parameters: Sequence[nn.Parameter], options: OptimizerOptions) -> torch.optim.AdamW:
    """The optimizer of every engine; the learning rate is set at each step."""
    return torch.optim.AdamW(
        _groups(parameters, options.weight_decay),
        betas=(options.adam_beta1, options.adam_beta2),
        eps=options.adam_epsilon,
        foreach=True,
    )


def named_state(
    parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Tensor]]:
    """`name/entry` and tensor of an optimizer that holds whole parameters."""
    for name, parameter in parameters.items():
        for entry, value in optimizer.state.get(parameter, {}).items():
            yield f"{name}/{entry}", value


@torch.no_grad()
def load_plain(
    stored: StoredState,
    parameters: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    rows: RowAdam | None = None,
) -> None:
    """Fill whole parameters and their optimizer, or the one that updates rows."""
    optimizer.state.clear()
    for name, parameter in parameters.items():
        if rows is not None and name in rows.tables:
            rows.load(name, stored.weight(name), stored.entries(name))
            continue
        parameter.copy_(stored.weight(name))
        for entry, value in stored.entries(name).items():
            optimizer.state[parameter][entry] = value if entry == "step" else value.to(parameter.device)


@torch.no_grad()
def load_weights(module: nn.Module, folder: Path) -> None:
    """Fill the trained parameters of a module that is whole, without an optimizer, from a checkpoint."""
    parameters = trainable(module)
    stored = StoredState(folder, {name: p.shape for name, p in parameters.items()})
    for name, parameter in parameters.items():
        parameter.copy_(stored.weight(name))


def _groups(parameters: Sequence[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def check_engine(options: TrainingOptions) -> None:
    """See that what an engine needs is installed.

    Raises:
        UsageError: it is not.
    """
    if options.engine == "deepspeed" and find_spec("deepspeed") is None:
        raise missing("engine: deepspeed", "DeepSpeed", extra="train")


def make_engine(module: Trainable, options: TrainingOptions, world: World) -> Engine:
    """The module under the engine of `options`.

    Raises:
        UsageError: there are several processes and the engine is for one, or it is not installed.
        InputError: an option cannot be used with this engine or module.
    """
    if options.gradient_checkpointing:
        _checkpoint_activations(module)
    check_engine(options)
    if options.engine == "deepspeed":
        from genret.training.engines.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(module, options, world)
    if world.size > 1:
        raise UsageError(
            f"engine: torch runs in one process, here are {world.size}; set engine: deepspeed, or start one process."
        )
    return TorchEngine(module, options.optimizer, bf16=options.bf16)


def _checkpoint_activations(module: nn.Module) -> None:
    """Ask every model of transformers in it to compute its activations again in the backward pass."""
    for part in module.modules():
        enable: Any = getattr(part, "gradient_checkpointing_enable", None)
        if enable is not None and getattr(part, "supports_gradient_checkpointing", False):
            enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            return
