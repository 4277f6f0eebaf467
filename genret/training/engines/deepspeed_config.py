"""Our keys, and a user's own JSON, as the configuration that DeepSpeed is given.

Knows DeepSpeed's names; loads nothing of DeepSpeed, so that a wrong configuration is refused before anything is
imported or computed. What the run decides is checked against the JSON and taken out of it: "auto", Hugging Face's word
for what the trainer fills in, or the run's own value; anything else contradicts the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genret.errors import InputError
from genret.training.loop.training_options import TrainingOptions

__all__ = ["deepspeed_config"]

AUTO = "auto"
# Sections that may be there as long as they are not switched on, and why.
OFF = {"fp16": "T5 gives NaN in fp16; use training.bf16", "amp": "use training.bf16"}
# DeepSpeed's schedulers by the word for them in training.lr_scheduler_type.
SCHEDULERS = {"constant": "WarmupLR", "linear": "WarmupDecayLR", "cosine": "WarmupCosineLR"}
# The optimizer is AdamW whatever its name there: a named one would be compiled for a minute.
OPTIMIZERS = ("AdamW", "Adam", AUTO)
# Where "auto" means DeepSpeed's own default, which it takes where nothing is said.
DEFAULTED = "zero_optimization"
LARGEST_FILE = 1 << 20


def deepspeed_config(options: TrainingOptions, processes: int = 1) -> dict[str, Any]:
    """The configuration of a run with `options` in so many processes: the user's JSON below, our own keys on top.

    Raises:
        InputError: the JSON cannot be read, decides what it may not, or contradicts one of our keys.
    """
    path = options.deepspeed.config
    config = {} if path is None else _read(path)
    _agree(config, _decided(options, processes), str(path), "")
    for name, why in OFF.items():
        section = _section(config, name, str(path))
        if section.get("enabled", True) not in (False, AUTO) and name in config:
            raise InputError(f"{path}: {name!r} cannot be set here: {why}.")
        config.pop(name, None)
    zero = _section(config, DEFAULTED, str(path))
    config[DEFAULTED] = {name: value for name, value in zero.items() if value != AUTO}
    if left := _auto(config, ""):
        raise InputError(
            f"{path}: {left} is 'auto', which the run has no value for; set it, or leave it out."
        )
    _lay_over(config, _own(options))
    return config


def _own(options: TrainingOptions) -> dict[str, Any]:
    """What DeepSpeed is told whatever the JSON says."""
    own = options.deepspeed
    zero: dict[str, Any] = {"stage": own.zero_stage}
    for name in ("offload_optimizer", "offload_param"):
        if getattr(own, name):
            zero[name] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,  # unused: batches vary, and losses are sums over a known weight
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        # Without sharding the engine clips by itself, so that it knows the norm.
        "gradient_clipping": options.optimizer.max_grad_norm if own.zero_stage else 0.0,
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": options.bf16},
    }


def _decided(options: TrainingOptions, processes: int) -> dict[str, Any]:
    """What the run decides, in the JSON's names; None: nothing but "auto" can be right."""
    adam, accumulation = options.optimizer, options.gradient_accumulation_steps
    whole = None if options.batch_tokens is not None else options.batch_size
    part, rest = (None, 0) if whole is None else divmod(whole, processes * accumulation)
    own = _own(options)["zero_optimization"]
    warmup = None if options.max_steps is None else round(options.warmup_ratio * options.max_steps)
    return {
        "train_batch_size": whole,
        "train_micro_batch_size_per_gpu": None if rest else part,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": adam.max_grad_norm,
        "bf16": {"enabled": options.bf16},
        "zero_optimization": {
            "stage": own["stage"],
            **{name: own[name] for name in ("offload_optimizer", "offload_param") if name in own},
        },
        "zero_force_ds_cpu_optimizer": False,
        "optimizer": {
            "type": OPTIMIZERS,
            "params": {
                "lr": options.learning_rate,
                "betas": [adam.adam_beta1, adam.adam_beta2],
                "eps": adam.adam_epsilon,
                "weight_decay": adam.weight_decay,
                "torch_adam": True,
                "adam_w_mode": True,
            },
        },
        "scheduler": {
            "type": (SCHEDULERS[options.lr_scheduler_type], AUTO),
            "params": {
                "warmup_min_lr": 0,
                "warmup_max_lr": options.learning_rate,
                "warmup_num_steps": warmup,
                "warmup_type": "linear",
                "total_num_steps": options.max_steps,
            },
        },
    }


def _agree(config: dict[str, Any], decided: Mapping[str, Any], path: str, key: str) -> None:
    """Take what the run decides out of `config`, after a check that it says nothing else.

    A section is left with what the run does not decide, but for the optimizer and the scheduler, which are the run's
    alone.
    """
    for name, value in decided.items():
        if name not in config:
            continue
        place = f"{key}.{name}" if key else name
        if isinstance(value, Mapping):
            section = _section(config, name, path, place)
            _agree(section, value, path, place)
            alone = place.partition(".")[0] in ("optimizer", "scheduler")
            if alone and section:
                raise InputError(f"{path}: {place}.{next(iter(section))} cannot be set here; leave it out.")
            if not section:
                del config[name]
        else:
            found = config.pop(name)
            if found != AUTO and not _equal(found, value):
                raise InputError(
                    f"{path}: {place} is {found!r}, the run's own configuration says {_shown(value)}; make them "
                    "agree or leave it out of the JSON."
                )


def _equal(found: Any, value: Any) -> bool:
    if isinstance(value, tuple):
        return found in value
    return isinstance(found, bool) == isinstance(value, bool) and bool(found == value)


def _shown(value: Any) -> str:
    if value is None:
        return "no such number"
    return repr(value[0] if isinstance(value, tuple) else value)


def _section(config: Mapping[str, Any], name: str, path: str, place: str = "") -> dict[str, Any]:
    section = config.get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{path}: {place or name}: expected an object, found {section!r:.100}.")
    return section


def _auto(config: Mapping[str, Any], key: str) -> str | None:
    """The first place that is left for someone to fill in."""
    for name, value in config.items():
        place = f"{key}.{name}" if key else name
        if isinstance(value, Mapping):
            if found := _auto(value, place):
                return found
        elif value == AUTO:
            return place
    return None


def _read(path: str) -> dict[str, Any]:
    file = Path(path)
    try:
        if file.exists() and (not file.is_file() or file.stat().st_size > LARGEST_FILE):
            raise InputError(f"{path}: expected a DeepSpeed JSON of at most {LARGEST_FILE:,} bytes.")
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a DeepSpeed JSON.") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _lay_over(config: dict[str, Any], own: Mapping[str, Any]) -> None:
    for name, value in own.items():
        if isinstance(value, Mapping):
            _lay_over(config.setdefault(name, {}), value)
        else:
            config[name] = value
