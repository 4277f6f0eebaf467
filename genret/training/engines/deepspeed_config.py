"""Our keys, and a user's own JSON, as the configuration that DeepSpeed is given.

Knows DeepSpeed's names; loads nothing of DeepSpeed, so that a wrong configuration is refused before anything is
imported or computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genret.errors import InputError
from genret.training.loop.options import TrainingOptions

__all__ = ["deepspeed_config"]

# What a JSON of the user's may not decide, and who does.
REFUSED = {
    "optimizer": "the optimizer is AdamW with training.optimizer's values (a named one is compiled for a minute)",
    "scheduler": "the learning rate follows training.lr_scheduler_type",
    "fp16": "T5 gives NaN in fp16; use training.bf16",
    "amp": "use training.bf16",
}


def deepspeed_config(options: TrainingOptions) -> dict[str, Any]:
    """The configuration of a run with `options`, the user's JSON below and our own keys on top.

    Raises:
        InputError: the JSON cannot be read, decides what it may not, or contradicts one of our keys.
    """
    path = options.deepspeed.config
    config = {} if path is None else _read(path)
    _lay_over(config, _own(options), path, "")
    return config


def _own(options: TrainingOptions) -> dict[str, Any]:
    own = options.deepspeed
    cpu = {"device": "cpu"}
    zero: dict[str, Any] = {"stage": own.zero_stage}
    if own.offload_optimizer:
        zero["offload_optimizer"] = cpu
    if own.offload_param:
        zero["offload_param"] = cpu
    return {
        "train_micro_batch_size_per_gpu": 1,  # unused: batches vary, and losses are sums over a known weight
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        # Without sharding the engine clips by itself, so that it knows the norm.
        "gradient_clipping": options.optimizer.max_grad_norm if own.zero_stage else 0.0,
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": options.bf16},
    }


def _read(path: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a DeepSpeed JSON.") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    for key, why in REFUSED.items():
        if key in content:
            raise InputError(f"{path}: {key!r} cannot be set here: {why}.")
    return content


def _lay_over(config: dict[str, Any], own: Mapping[str, Any], path: str | None, key: str) -> None:
    """Put `own` into `config`; "auto" is Hugging Face's word for a value that the trainer fills in."""
    for name, value in own.items():
        place = f"{key}.{name}" if key else name
        if isinstance(value, Mapping):
            _lay_over(config.setdefault(name, {}), value, path, place)
        elif config.get(name, "auto") in ("auto", value):
            config[name] = value
        else:
            raise InputError(
                f"{path}: {place} is {config[name]!r}, the run's own configuration says {value!r}; make them agree "
                "or leave it out of the JSON."
            )
