"""The training loop: steps within a budget, metrics, checkpoints, exact resume.

Knows an engine, a mixture and folders; knows no architecture. Which examples a step sees and what its learning
rate is are functions of the step (or, under a time budget, of the time spent), so a resumed run continues the
same sequence.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from genret.errors import InputError
from genret.progress import ProgressReport, progress
from genret.training.batch import collate
from genret.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from genret.training.engine import Engine, OptimizerOptions
from genret.training.examples import Example
from genret.training.metrics import MetricsLog
from genret.training.mixture import Mixture
from genret.training.schedule import Schedule

__all__ = ["METRICS", "DivergedError", "TrainResult", "Trainer", "TrainingOptions"]

METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
_log = logging.getLogger(__name__)


class DivergedError(InputError):
    """Too many steps had a loss or a gradient that is not finite."""


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how fast and how often.

    Attributes:
        max_steps: stop after this many steps.
        max_seconds: stop when this much time has been spent in the loop, earlier runs of a resumed one
            included. The learning rate follows whichever of the two budgets is further spent; under a time
            budget two runs differ, since their steps take different times.
        warmup: fraction of the budget.
        checkpoint_every: steps between checkpoints; 0 for one at the end only.
        keep_checkpoints: how many of the newest remain.
        max_skipped: steps without a finite loss or gradient that are tolerated; they change no parameter.
    """

    max_steps: int | None = None
    max_seconds: float | None = None
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: float = 0.05
    decay: Literal["linear", "cosine", "constant"] = "linear"
    final_learning_rate: float = 0.0
    label_smoothing: float = 0.0
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 0
    keep_checkpoints: int = 2
    max_skipped: int = 10
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_seconds is None:
            raise InputError("expected max_steps, max_seconds or both; neither is given.")
        for name in ("max_steps", "max_seconds", "batch_size", "log_every", "keep_checkpoints"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name}: expected a number above 0, found {value}.")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing: expected 0 up to 1, found {self.label_smoothing}.")

    @property
    def schedule(self) -> Schedule:
        """The learning rate's course."""
        return Schedule(self.learning_rate, self.warmup, self.decay, self.final_learning_rate)

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
class TrainResult:
    """How a run ended: steps and seconds in all, steps skipped, mean loss since the last line of metrics."""

    steps: int
    seconds: float
    skipped: int
    loss: float


class Trainer:
    """Trains an engine's module on a mixture of examples.

    Args:
        engine: runs the model.
        sources: examples by the name of their source.
        ratios: each source's share of the examples seen.
        folder: where `metrics.jsonl` and `checkpoints/` go.
        pad_token_id: pads targets.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Mapping[str, Sequence[Example]],
        ratios: Mapping[str, float],
        options: TrainingOptions,
        *,
        folder: Path,
        pad_token_id: int,
        device: torch.device | str = "cpu",
    ) -> None:
        sizes = {name: len(examples) for name, examples in sources.items()}
        self.mixture = Mixture(sizes, ratios, seed=options.seed)
        self.engine, self.sources, self.options = engine, sources, options
        self.folder, self.pad_token_id, self.device = folder, pad_token_id, device
        self.schedule = options.schedule
        self.step = 0
        self.skipped = 0
        self._seconds_before = 0.0
        self._begun = time.monotonic()
        self._window = _Window()

    @property
    def seconds(self) -> float:
        """Time spent in the loop, earlier runs of a resumed one included."""
        return self._seconds_before + time.monotonic() - self._begun

    def train(self, provenance: Mapping[str, Any], *, resume: bool = False) -> TrainResult:
        """Run to the end of the budget; `resume` continues from the newest complete checkpoint, if any.

        Raises:
            DivergedError: more than `max_skipped` steps had no finite loss or gradient.
            InputError: the checkpoint belongs to another model.
        """
        torch.manual_seed(self.options.seed)
        restored = self._restore() if resume else None
        metrics = self._open_metrics(provenance, restored)
        self._begun = time.monotonic()
        with self._progress() as bar:
            while not self.options.exhausted(self.step, self.seconds):
                self._one_step(metrics)
                self._report(bar)
        self._log_window(metrics)
        if self._checkpoint_due(at_end=True):
            self._save()
        metrics.write({"kind": "end", "step": self.step, "seconds": self.seconds, "skipped": self.skipped})
        return TrainResult(self.step, self.seconds, self.skipped, self._window.last_loss)

    def batch_examples(self, step: int) -> list[Example]:
        """The examples of a step."""
        return [
            self.sources[name][index] for name, index in self.mixture.batch(step, self.options.batch_size)
        ]

    def _one_step(self, metrics: MetricsLog) -> None:
        examples = self.batch_examples(self.step)
        batch = collate(examples, self.pad_token_id, step=self.step, device=self.device)
        rate = self.schedule.learning_rate(self.options.spent(self.step, self.seconds))
        sums = self.engine.loss(batch)
        loss = float(sums.mean.detach())
        norm = math.nan
        if math.isfinite(loss):
            self.engine.backward(sums.mean)
            norm = self.engine.step(rate)
        self.step += 1
        if math.isfinite(norm):
            self._window.add(float(sums.total.detach()), float(sums.weight), norm, rate)
        else:
            self._skip(loss, metrics)
        if self.step % self.options.log_every == 0:
            self._log_window(metrics)
        if self._checkpoint_due():
            self._save()

    def _skip(self, loss: float, metrics: MetricsLog) -> None:
        self.engine.skip()
        self.skipped += 1
        what = "gradient" if math.isfinite(loss) else "loss"
        _log.warning("Step %d: the %s is not finite; the step is skipped.", self.step, what)
        metrics.write({"kind": "skipped", "step": self.step, "what": what, "skipped": self.skipped})
        if self.skipped > self.options.max_skipped:
            good = newest_checkpoint(self.folder / CHECKPOINTS)
            raise DivergedError(
                f"{self.skipped} steps had a loss or gradient that is not finite (max_skipped is "
                f"{self.options.max_skipped}); lower learning_rate or raise warmup. Last good checkpoint: "
                f"{good or 'none'}."
            )

    def _log_window(self, metrics: MetricsLog) -> None:
        line = self._window.take()
        if line:
            position = self.step * self.options.batch_size
            epochs = {name: round(value, 4) for name, value in self.mixture.epochs(position).items()}
            seconds = {"seconds": round(self.seconds, 3), "examples": position}
            metrics.write({"kind": "step", "step": self.step, **line, **seconds, "epochs": epochs})

    def _checkpoint_due(self, *, at_end: bool = False) -> bool:
        every = self.options.checkpoint_every
        on_the_beat = every > 0 and self.step % every == 0
        return not on_the_beat if at_end else on_the_beat

    def _save(self) -> None:
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "seed": self.options.seed,
            "batch_size": self.options.batch_size,
            "shares": dict(zip(self.mixture.names, self.mixture.shares, strict=True)),
            "sizes": dict(zip(self.mixture.names, self.mixture.sizes, strict=True)),
            "window": self._window.state(),
        }
        save_checkpoint(self.folder / CHECKPOINTS, self.engine, state, keep=self.options.keep_checkpoints)

    def _restore(self) -> Path | None:
        place = newest_checkpoint(self.folder / CHECKPOINTS)
        if place is None:
            _log.warning("%s holds no complete checkpoint; training begins anew.", self.folder)
            return None
        state = load_checkpoint(place, self.engine)
        self._check_same_sampling(state, place)
        self.step, self.skipped = state["step"], state["skipped"]
        self._seconds_before = state["seconds"]
        self._window = _Window(**state["window"])
        _log.info("Resumed from %s.", place)
        return place

    def _check_same_sampling(self, state: dict[str, Any], place: Path) -> None:
        """Another batch size, seed or mixture would make the step number point at other examples."""
        here = {
            "seed": self.options.seed,
            "batch_size": self.options.batch_size,
            "shares": dict(zip(self.mixture.names, self.mixture.shares, strict=True)),
            "sizes": dict(zip(self.mixture.names, self.mixture.sizes, strict=True)),
        }
        for name, value in here.items():
            if state[name] != value:
                raise InputError(
                    f"{place}: its run had {name} = {state[name]}, this one has {value}; resume with the "
                    "configuration and data that the run began with."
                )

    def _open_metrics(self, provenance: Mapping[str, Any], restored: Path | None) -> MetricsLog:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / METRICS
        if restored is None:
            # Checkpoints of an earlier run must not be mistaken for this one's.
            shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
            return MetricsLog(path, provenance)
        return MetricsLog.resume(path, {**provenance, "kind": "resumed", "step": self.step}, self.step)

    def _progress(self) -> Any:
        """Counts examples up to the end of the budget; a time budget has no known end in examples."""
        total = self.options.max_steps
        left = None if total is None else (total - self.step) * self.options.batch_size
        return progress(left, "training", "examples")

    def _report(self, bar: ProgressReport) -> None:
        note = f"loss {self._window.last_loss:.4f}"
        if self.options.max_seconds is not None:
            note += f", {max(self.options.max_seconds - self.seconds, 0):.0f}s of the budget left"
        bar.note(note)
        bar.advance(self.options.batch_size)


@dataclass
class _Window:
    """Sums since the last line of metrics."""

    total: float = 0.0
    weight: float = 0.0
    norm: float = 0.0
    rate: float = 0.0
    steps: int = 0
    last_loss: float = math.nan

    def add(self, total: float, weight: float, norm: float, rate: float) -> None:
        self.total += total
        self.weight += weight
        self.norm = max(self.norm, norm)
        self.rate = rate
        self.steps += 1
        self.last_loss = self.total / self.weight

    def take(self) -> dict[str, float] | None:
        """The window's line of metrics, None when it is empty; the next window begins."""
        if not self.steps:
            return None
        line = {"loss": self.total / self.weight, "gradient_norm": self.norm, "learning_rate": self.rate}
        self.total = self.weight = self.norm = 0.0
        self.steps = 0
        return line

    def state(self) -> dict[str, Any]:
        """As keyword arguments of a new window; what is not finite is left out, since JSON has no name for it."""
        return {name: value for name, value in vars(self).items() if math.isfinite(value)}
