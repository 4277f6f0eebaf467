"""DeepSpeed behind the trainer: ZeRO stages 0 to 3 on any number of processes.

Knows DeepSpeed; knows no data and no metric. Its checkpoints are `state_files`, not DeepSpeed's own: whole tensors
by name, without pickle, which any number of processes, stage and engine reads back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore
from torch.nn import functional

from genret.errors import InputError
from genret.training.engines.deepspeed_config import deepspeed_config
from genret.training.engines.engine import adamw, load_plain, named_state, trainable
from genret.training.engines.processes import LostProcessError, World, backend
from genret.training.engines.row_adam import RowAdam, clip_factor
from genret.training.engines.state_files import MOMENTS, StoredState, owners, write_state
from genret.training.examples.batch import Batch, Trainable
from genret.training.loop.training_options import TrainingOptions
from genret.training.losses.losses import LossSums

__all__ = ["DeepSpeedEngine"]


class DeepSpeedEngine:
    """A module under DeepSpeed.

    Args:
        module: maps a `Batch` to `LossSums`; its weights are the same in all processes, and it is where it will
            run.
    """

    def __init__(self, module: Trainable, options: TrainingOptions, world: World) -> None:
        self.module, self.options, self.world = module, options, world
        self.stage = options.deepspeed.zero_stage
        self.parameters = trainable(module)
        self.rows = RowAdam(_tables(module, self.stage), options.optimizer, world)
        self._shapes = {name: tuple(p.shape) for name, p in self.parameters.items()}
        deepspeed = _deepspeed(world)
        optimizer = adamw(
            [p for name, p in self.parameters.items() if name not in self.rows.tables], options.optimizer
        )
        self._engine = _initialized(deepspeed, module, optimizer, options, world)
        self._optimizer: torch.optim.Optimizer = self._engine.basic_optimizer
        if self.stage > 0:
            # DeepSpeed does so at the first update, and then looks for the state of all parameter groups when it
            # has updated the first (0.19.8).
            self._make_state(0.0)
        self._rows_norm = 0.0
        if self.rows.tables:
            self._count_rows_in_norm()

    def _count_rows_in_norm(self) -> None:
        """What DeepSpeed clips by, and skips a step by, is the norm of all gradients."""
        optimizer = self._engine.optimizer
        own = optimizer.scaled_global_norm

        def norm(norm_type: int = 2) -> Tensor:
            found: Tensor = own(norm_type)
            return torch.hypot(found, found.new_tensor(self._rows_norm))

        # It clips inside its own step, where only this method can be told.
        optimizer.scaled_global_norm = norm

    def loss(self, batch: Batch) -> LossSums:
        """Forward pass of this process's micro-batch in training mode."""
        self._engine.train()
        with self._answered():
            sums: LossSums = self._engine(batch)
        return sums

    def weight(self, batch: Batch) -> float:
        """The batch's weight in the loss."""
        return float(self.module.weight(batch))

    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients; DeepSpeed takes the mean over processes, and here they are to add up."""
        with self._answered():
            # `scale_wrt_gas` would take the mean over micro-batches, whose weights may differ.
            self._engine.backward(loss * self.world.size, scale_wrt_gas=False)
            if not self._engine.is_gradient_accumulation_boundary():
                self._engine.step()  # counts the micro-batch

    def step(self, learning_rate: float) -> float:
        """Clip, update and clear the gradients; return their norm before clipping."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        with self._answered():
            if self.stage == 0:
                return self._plain_step()
            self._rows_norm = self.rows.collect()
            self._engine.step()
            # It has skipped a step whose norm is not finite, and the rows are skipped with it.
            if not self._engine.was_step_applied():
                return float("nan")
            norm = float(self._engine.get_global_grad_norm())
            self.rows.step(learning_rate, clip_factor(norm, self.options.optimizer.max_grad_norm))
        return norm

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Gather what stage 3 has sharded, and take its hooks away, which would shard it again."""
        if self.stage < 3:
            yield
            return
        from deepspeed import zero

        offload = self._engine.optimizer.parameter_offload
        with zero.GatheredParameters(list(self.module.parameters())):
            offload._remove_module_hooks()
            try:
                yield
            finally:
                offload.setup_zero_stage3_hooks()

    def settle(self, folder: Path) -> None:
        """Parameters of a checkpoint in float32, no longer sharded; training is over."""
        stored = StoredState(folder, self._shapes)
        if self.stage == 3:
            self._unshard()
        self._engine.destroy()
        for name, parameter in self.parameters.items():
            parameter.data = stored.weight(name).to(parameter.device)

    def _unshard(self) -> None:
        """Take the sharding away from what is not trained, too."""
        from deepspeed import zero

        with zero.GatheredParameters(list(self.module.parameters())):
            # Outside the block the gathered data is freed again.
            whole = [parameter.data.clone() for parameter in self.module.parameters()]
        self._engine.optimizer.parameter_offload._remove_module_hooks()
        for parameter, data in zip(self.module.parameters(), whole, strict=True):
            parameter.data = data

    def save_state(self, folder: Path) -> bool:
        """Write this process's share of parameters and optimizer state; whether all its numbers are finite."""
        owner = owners(
            {name: torch.Size(shape).numel() for name, shape in self._shapes.items()}, self.world.size
        )
        mine = [name for name in self.parameters if owner[name] == self.world.rank]
        if self.stage == 0:
            kept = {name: self.parameters[name] for name in mine}
            return write_state(
                folder,
                self.world.rank,
                {name: p.detach() for name, p in kept.items()},
                dict(named_state(kept, self._optimizer)),
            )
        weights: dict[str, Tensor] = {}
        state: dict[str, Tensor] = {}
        with self._answered():
            for name, parameter in self.parameters.items():
                by_rows = name in self.rows.tables
                whole = self.rows.whole(name) if by_rows else self._gathered(parameter)
                if owner[name] == self.world.rank:
                    weights[name] = whole.pop("weight").cpu()
                    state.update({f"{name}/{entry}": value.cpu() for entry, value in whole.items()})
        return write_state(folder, self.world.rank, weights, state)

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` of all processes wrote, whatever their number, stage and engine."""
        stored = StoredState(folder, self._shapes)
        if self.stage == 0:
            load_plain(stored, self.parameters, self._optimizer)
            return
        for name, parameter in self.parameters.items():
            weight, entries = stored.weight(name), stored.entries(name)
            if name in self.rows.tables:
                self.rows.load(name, weight, entries)
            else:
                self._fill(parameter, weight, entries)

    def _plain_step(self) -> float:
        parameters = list(self.parameters.values())
        limit = self.options.optimizer.max_grad_norm or float("inf")
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit))
        # Without gradients the engine's step counts, and changes nothing.
        if not norm < float("inf"):
            self._optimizer.zero_grad(set_to_none=True)
        self._engine.step()
        return norm

    def _gathered(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """A parameter in float32 and its optimizer state, whole; all processes take part."""
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

        step = self._steps()
        whole = {"weight": safe_get_full_fp32_param(parameter).clone()}
        if step > 0:
            whole["step"] = torch.tensor(step)
            for moment in MOMENTS:
                whole[moment] = safe_get_full_optimizer_state(parameter, moment).clone()
        return whole

    def _steps(self) -> float:
        """Updates so far; every flat partition counts them."""
        return max(
            (float(entry["step"]) for entry in self._optimizer.state.values() if "step" in entry), default=0.0
        )

    @torch.no_grad()
    def _fill(self, parameter: nn.Parameter, weight: Tensor, entries: dict[str, Tensor]) -> None:
        """Set this process's part of a parameter, of its float32 copy and of its optimizer state."""
        self._make_state(float(entries.get("step", 0.0)))
        values = {"weight": weight} | {
            moment: entries.get(moment, torch.zeros_like(weight)) for moment in MOMENTS
        }
        if self.stage == 3:
            self._fill_partition(parameter, values)
        else:
            self._fill_fragment(parameter, values)
        # Stage 3 leaves an empty tensor in its place.
        if parameter.numel() == weight.numel():  # whole here
            parameter.copy_(weight)

    def _fill_fragment(self, parameter: nn.Parameter, values: dict[str, Tensor]) -> None:
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

        safe_set_full_fp32_param(parameter, values["weight"])
        for moment in MOMENTS:
            safe_set_full_optimizer_state(parameter, values[moment], moment)

    def _fill_partition(self, parameter: Any, values: dict[str, Tensor]) -> None:
        from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

        # Stage 3 cuts a flat, padded parameter into equal parts, one a process.
        width = parameter.ds_tensor.numel()
        begin = width * self.world.rank
        parts = {
            name: functional.pad(value.flatten(), (0, width * self.world.size - value.numel()))[
                begin : begin + width
            ]
            for name, value in values.items()
        }
        safe_set_local_fp32_param(parameter, parts["weight"])
        parameter.ds_tensor.data.copy_(parts["weight"])
        for moment in MOMENTS:
            safe_set_local_optimizer_state(parameter, parts[moment], moment)

    def _make_state(self, step: float) -> None:
        """Zero state for this process's partitions, after so many updates."""
        if self._optimizer.state and self._steps() == step:
            return
        sharded = self._engine.optimizer
        flats = (
            sharded.fp32_partitioned_groups_flat
            if self.stage == 3
            else sharded.single_partition_of_fp32_groups
        )
        for flat in flats:
            zeros = {moment: torch.zeros_like(flat) for moment in MOMENTS}
            self._optimizer.state[flat] = {"step": torch.tensor(step), **zeros}
        if self.stage < 3:
            sharded._hp_optimizer_states_linked = False
            sharded._lazy_init_hp_params_optimizer_state()

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """A lost process shows as an error of the communication library, in the middle of anything."""
        try:
            yield
        except dist.DistError as error:
            raise self._lost(error) from error
        except RuntimeError as error:
            if not any(word in str(error) for word in LOST):
                raise
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> LostProcessError:
        return LostProcessError.at(self.world, error)


# How gloo and NCCL say that the other side is gone.
LOST = ("gloo", "NCCL", "Connection reset", "Connection closed", "Broken pipe", "Timed out")


def _tables(module: Trainable, stage: int) -> dict[str, nn.Parameter]:
    """Tables that are updated by rows, beside DeepSpeed.

    Raises:
        InputError: DeepSpeed would sum them up as whole tables, or has them in pieces.
    """
    tables = module.row_tables()
    if tables and stage not in (1, 2):
        raise InputError(
            "loss.kind: a sampled loss updates its table of tokens by rows, for which training.deepspeed.zero_stage "
            f"must be 1 or 2, found {stage}; one process alone can also have training.engine: torch."
        )
    return tables


def _initialized(
    deepspeed: Any,
    module: Trainable,
    optimizer: torch.optim.Optimizer,
    options: TrainingOptions,
    world: World,
) -> Any:
    """DeepSpeed's engine.

    Raises:
        InputError: DeepSpeed cannot use the JSON of the user's.
    """
    config = deepspeed_config(options, world.size)
    try:
        engine, *_ = deepspeed.initialize(
            model=module, optimizer=optimizer, config=config, dist_init_required=False
        )
    except (ValueError, TypeError, AssertionError, LookupError, AttributeError) as error:
        if options.deepspeed.config is None:
            raise
        raise InputError(
            f"{options.deepspeed.config}: DeepSpeed cannot use it: {' '.join(str(error).split())[:500]}."
        ) from error
    return engine


def _deepspeed(world: World) -> Any:
    """The library, quiet, on the process group of the run or on one of this process alone."""
    if not dist.is_initialized():
        os.environ.setdefault("LOCAL_RANK", "0")
        dist.init_process_group(backend(), store=HashStore(), rank=world.rank, world_size=world.size)
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # It would compile an operator of its own for collectives on the CPU, for a minute; gloo does without.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
    return deepspeed
