"""How a run goes: how long, how fast (and the learning rate that follows), how often it writes, on which engine.

Knows plain values and what they may be; builds nothing. Whether a budget is steps or seconds is the options' matter,
the schedule knows fractions of it. Names are those of Hugging Face's `TrainingArguments`
where it has the same thing; `batch_size` is of a whole step, whatever the number of processes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from annotated_types import Interval

from genret.config import Count, Fraction, Number, Positive, Seed, Steps, Tokens, Weight, check_bounds
from genret.errors import InputError

__all__ = ["DeepSpeedOptions", "OptimizerOptions", "Schedule", "TrainingOptions"]

BelowOne: TypeAlias = Annotated[float, Interval(ge=0, lt=1)]
# What float32 holds after AdamW has divided by its corrections; a rate that ruins the weights is found in training.
LearningRate: TypeAlias = Annotated[float, Interval(gt=0, le=1e30)]


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW (Loshchilov and Hutter, ICLR 2019), with the gradients' norm clipped.

    Attributes:
        weight_decay: on matrices; vectors (biases, norms) have none.
        max_grad_norm: largest norm of all gradients together; 0 for no clipping.
    """

    weight_decay: Weight = 0.01
    adam_beta1: BelowOne = 0.9
    adam_beta2: BelowOne = 0.98
    adam_epsilon: Positive = 1e-8
    max_grad_norm: Weight = 1.0

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class DeepSpeedOptions:
    """What the engine `deepspeed` is told; see `docs/training/training.md`.

    Attributes:
        zero_stage: what is sharded over the processes: 0 nothing, 1 the optimizer's state, 2 gradients as well,
            3 parameters as well (Rajbhandari et al., "ZeRO", SC 2020).
        offload_optimizer: keep the optimizer's state, and update, in the host's memory.
        offload_param: keep parameters there too; stage 3 only.
        config: a DeepSpeed JSON file that these keys are laid over; what it says about anything else stands.
    """

    zero_stage: Annotated[int, Interval(ge=0, le=3)] = 1
    offload_optimizer: bool = False
    offload_param: bool = False
    config: str | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.offload_param and self.zero_stage != 3:
            raise InputError(f"offload_param: needs zero_stage 3, found {self.zero_stage}.")
        if self.offload_optimizer and self.zero_stage == 0:
            raise InputError("offload_optimizer: needs zero_stage 1, 2 or 3, found 0.")


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how fast and how often.

    Attributes:
        max_steps: stop after this many steps; 0, of a codebook alone: train nothing.
        max_seconds: stop when this much time has been spent in the loop, earlier runs of a resumed one
            included. The learning rate follows whichever of the two budgets is further spent; under a time
            budget two runs differ, since their steps take different times.
        batch_size: examples of a step, over all processes and micro-batches.
        group_by_length: fill steps with examples whose sources are alike in length, for less padding.
        batch_tokens: tokens of a step, padding included, in place of `batch_size`; for packed examples only.
        warmup_ratio: fraction of the budget.
        final_learning_rate: as a fraction of `learning_rate`.
        save_steps: steps between checkpoints; 0 for one at the end only.
        save_total_limit: how many of the newest checkpoints remain.
        max_skipped: steps without a finite loss or gradient that are tolerated; they change no parameter.
        engine: `torch` is one process of plain torch; DeepSpeed is not imported for it.
        gradient_accumulation_steps: micro-batches that each process cuts its part of a step into.
        gradient_checkpointing: compute activations again in the backward pass.
        bf16: compute in bfloat16; parameters and optimizer stay in float32.
        eval_steps: steps between evaluations by retrieval; 0 for none.
        eval_queries: at most so many of `data.evaluation` are searched in each.
        metric_for_best_model: the metric of an evaluation that the best checkpoint is chosen by.
        early_stopping_patience: stop after so many evaluations in a row that were not better; None: never.
        report_to: `tensorboard`, `wandb` or `trackio`, beside `metrics.jsonl`.
    """

    max_steps: Number | None = None
    max_seconds: Positive | None = None
    batch_size: Count = 64
    group_by_length: bool = False
    batch_tokens: Tokens | None = None
    learning_rate: LearningRate = 1e-3
    warmup_ratio: BelowOne = 0.05
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    final_learning_rate: Fraction = 0.0
    label_smoothing_factor: BelowOne = 0.0
    seed: Seed = 0
    logging_steps: Steps = 20
    save_steps: Number = 0
    save_total_limit: Count = 2
    max_skipped: Number = 10
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    engine: Literal["torch", "deepspeed"] = "torch"
    deepspeed: DeepSpeedOptions = field(default_factory=DeepSpeedOptions)
    gradient_accumulation_steps: Count = 1
    gradient_checkpointing: bool = False
    bf16: bool = False
    eval_steps: Number = 0
    eval_queries: Count = 200
    metric_for_best_model: str = "hit@10"
    early_stopping_patience: Count | None = None
    report_to: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_seconds is None:
            raise InputError("expected max_steps, max_seconds or both; neither is given.")
        check_bounds(self)
        if self.bf16 and self.engine == "deepspeed" and self.deepspeed.zero_stage == 0:
            raise InputError("bf16: needs deepspeed.zero_stage 1, 2 or 3, found 0.")

    @property
    def schedule(self) -> Schedule:
        """The learning rate's course."""
        return Schedule(
            self.learning_rate, self.warmup_ratio, self.lr_scheduler_type, self.final_learning_rate
        )

    def spent(self, step: int, seconds: float) -> float:
        """The fraction of the budget that is spent in the middle of step `step` (from 0), after `seconds`."""
        steps = (step + 0.5) / self.max_steps if self.max_steps is not None else 0.0
        return max(steps, seconds / self.max_seconds if self.max_seconds is not None else 0.0)

    def exhausted(self, step: int, seconds: float) -> bool:
        """Whether no step is left after `step` steps and `seconds`."""
        return (self.max_steps is not None and step >= self.max_steps) or (
            self.max_seconds is not None and seconds >= self.max_seconds
        )


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up to `peak`, then decay to `final` times `peak`.

    Attributes:
        peak: the highest learning rate.
        warmup: fraction of the budget spent warming up, 0 up to 1 (1 excluded).
        decay: how the rest goes down; "constant" does not.
        final: the last learning rate, as a fraction of `peak`.
    """

    peak: float
    warmup: float = 0.05
    decay: Literal["linear", "cosine", "constant"] = "linear"
    final: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise InputError(
                f"warmup: expected a fraction of the budget from 0 up to 1, found {self.warmup}."
            )
        if not self.peak > 0:
            raise InputError(f"learning_rate: expected a number above 0, found {self.peak}.")

    def learning_rate(self, spent: float) -> float:
        """The learning rate after the fraction `spent` (0 to 1; more counts as 1) of the budget."""
        if spent < self.warmup:
            return self.peak * spent / self.warmup
        rest = min((spent - self.warmup) / (1 - self.warmup), 1.0)
        return self.peak * (self.final + (1 - self.final) * self._remaining(rest))

    def _remaining(self, rest: float) -> float:
        if self.decay == "constant":
            return 1.0
        return 1.0 - rest if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * rest))
