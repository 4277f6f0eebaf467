"""The engine that a configuration names.

Knows which there are; DeepSpeed is imported only where it is asked for.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from genret.errors import UsageError
from genret.training.engines.processes import World
from genret.training.engines.torch_engine import Engine, TorchEngine
from genret.training.loop.training_options import TrainingOptions

__all__ = ["make_engine"]


def make_engine(module: nn.Module, options: TrainingOptions, world: World) -> Engine:
    """The module under the engine of `options`.

    Raises:
        UsageError: there are several processes and the engine is for one.
        InputError: an option cannot be used with this engine or module.
    """
    if options.gradient_checkpointing:
        _checkpoint_activations(module)
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
