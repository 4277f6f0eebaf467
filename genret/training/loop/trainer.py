"""The training loop: steps within a budget, metrics, checkpoints, exact resume.

Knows an engine, a feed of batches, processes and folders; knows no architecture. Which examples a step sees and
what its learning rate is are functions of the step (or, under a time budget, of the time spent), so a resumed run
continues the same sequence.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fm_index.files import foreign
from genret.device import peak_memory
from genret.errors import InputError
from genret.jobs.progress import ProgressReport, progress
from genret.jobs.resumable import check_same
from genret.training.engines.engine import Engine
from genret.training.engines.processes import World
from genret.training.examples.batch import Batch
from genret.training.examples.feed import Feed
from genret.training.loop.best_checkpoint import Evaluate, Selection, Soundness
from genret.training.loop.checkpoint import (
    discard_unfinished,
    load_checkpoint,
    mark_ruined,
    newest_checkpoint,
    place_of,
    rotate,
    save_checkpoint,
)
from genret.training.loop.diary import Diary, Window
from genret.training.loop.stopping import StoppedError, StopSignal
from genret.training.loop.training_options import TrainingOptions

__all__ = ["CHECKPOINTS", "METRICS", "DivergedError", "TrainResult", "Trainer"]

METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
_log = logging.getLogger(__name__)


class DivergedError(InputError):
    """The weights are ruined, or too many steps had a loss or a gradient that is not finite."""


@dataclass(frozen=True)
class TrainResult:
    """How a run ended: steps and seconds in all, steps skipped, mean loss since the last line of metrics.

    `last` is the checkpoint at the end, `best` the one that evaluated best, None without evaluation.
    """

    steps: int
    seconds: float
    skipped: int
    loss: float
    last: Path
    best: Path | None


class Trainer:
    """Trains an engine's module on a feed of batches.

    Args:
        engine: runs the model.
        feed: this process's batches.
        folder: where `metrics.jsonl` and `checkpoints/` go.
        world: the processes of the run.
        evaluate: measures the model as it is; all processes call it at once, and get the same numbers.
    """

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        options: TrainingOptions,
        *,
        folder: Path,
        world: World | None = None,
        evaluate: Evaluate | None = None,
    ) -> None:
        self.engine, self.feed, self.options = engine, feed, options
        self.folder, self.world = folder, world or World()
        self.selection = Selection(options, evaluate)
        self.step = 0
        self.skipped = 0
        self.tokens = 0.0
        self.soundness = Soundness(engine, self.world)
        self._saved: int | None = None
        self._save_due = self._unconfirmed = False
        self._seconds_before = 0.0
        self._begun = time.monotonic()
        self._window = Window()
        self._device = next(engine.module.parameters()).device
        self._peak_memory = peak_memory(self._device)
        self._signal = StopSignal()

    @property
    def seconds(self) -> float:
        """Time spent in the loop, earlier runs of a resumed one included."""
        return self._seconds_before + time.monotonic() - self._begun

    def train(self, provenance: Mapping[str, Any], *, resume: bool = False) -> TrainResult:
        """Run to the end of the budget; `resume` continues from the newest complete checkpoint, if any.

        Raises:
            DivergedError: more than `max_skipped` steps had no finite loss or gradient, or the weights are ruined.
            InputError: the checkpoint belongs to another model, or a checkpoint cannot be written.
            StoppedError: the run was asked to end (SIGTERM); its checkpoint is written.
            LostProcessError: another process of the run is gone.
        """
        torch.manual_seed(self.options.seed + self.world.rank)
        restored = self._restore() if resume else None
        diary = self._open_diary(provenance, restored)
        self._begun = time.monotonic()
        with self._signal, self._progress() as bar:
            while self._goes_on():
                self._one_step(diary)
                self._report(bar)
        self._log_window(diary)
        self._save(wait=False)
        self._rotate()
        diary.write({"kind": "end", "step": self.step, "seconds": self.seconds, "skipped": self.skipped})
        best = self.selection.best_step
        return TrainResult(
            self.step,
            self.seconds,
            self.skipped,
            self._window.last_loss,
            place_of(self.folder / CHECKPOINTS, self.step),
            None if best is None else place_of(self.folder / CHECKPOINTS, best),
        )

    def _goes_on(self) -> bool:
        """The same answer in all processes: the first one's clock counts, and any one's signal."""
        seconds, signals = self.world.sum(
            [self.seconds if self.world.is_first else 0.0, self._signal.received]
        )
        if signals:
            self._save(wait=False)
            raise StoppedError.after(self.step, self.folder)
        return not self.options.exhausted(self.step, seconds) and not self.selection.exhausted

    def _one_step(self, diary: Diary) -> None:
        rate = self._rate()
        batches = self.feed.batches(self.step)
        total, weight = self._accumulate(batches)
        norm = self.engine.step(rate)
        self.step += 1
        if math.isfinite(norm):
            self._window.add(total, weight, norm, rate)
            self.soundness.finite(self.step, batches[0])
            self._rotate()
        else:
            self._skip(float(total), diary)
        if self.step % self.options.logging_steps == 0:
            self._log_window(diary)
        if self.selection.due(self.step):
            self._evaluate(diary)
        if self._save_due or (self.options.save_steps and self.step % self.options.save_steps == 0):
            self._save()

    def _rate(self) -> float:
        return self.options.schedule.learning_rate(self.options.spent(self.step, self.seconds))

    def _accumulate(self, batches: Sequence[Batch]) -> tuple[Tensor, float]:
        """Gradients of the step's loss: all processes' weighted token losses over all their weights.

        Returns this process's sum of losses, and its weight.
        """
        weight = sum(float(self.engine.weight(batch)) for batch in batches)
        everyone, tokens = self.world.sum([weight, sum(batch.tokens for batch in batches)])
        self.tokens += tokens
        scale = 1.0 / everyone
        total: Tensor | None = None
        for batch in batches:
            loss = self.engine.loss(batch).total
            # A loss that is not finite can have a finite gradient; this one has not.
            self.engine.backward(loss * torch.where(loss.detach().isfinite(), scale, math.nan))
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total, weight

    def _skip(self, loss: float, diary: Diary) -> None:
        self.skipped += 1
        self.soundness.skipped()
        what = "gradient" if math.isfinite(loss) else "loss"
        _log.warning("Step %d: the %s is not finite; the step is skipped.", self.step, what)
        diary.write({"kind": "skipped", "step": self.step, "what": what, "skipped": self.skipped})
        if self.skipped > self.options.max_skipped:
            if self.soundness.skips > 1:
                # What was saved since the last update are the weights that this came of.
                mark_ruined(self.folder / CHECKPOINTS, self.soundness.step, self.world)
            raise self._diverged(
                f"{self.skipped} steps had a loss or gradient that is not finite (max_skipped is "
                f"{self.options.max_skipped})"
            )

    def _diverged(self, what: str) -> DivergedError:
        good = newest_checkpoint(self.folder / CHECKPOINTS)
        return DivergedError(
            f"{what}; lower learning_rate or raise warmup_ratio. Last good checkpoint: {good or 'none'}."
        )

    def _log_window(self, diary: Diary) -> None:
        line = self._window.take(self.world)
        if line:
            self._peak_memory = peak_memory(self._device)
            spent = {
                "seconds": round(self.seconds, 3),
                "peak_memory_bytes": self._peak_memory,
                **({"tokens": int(self.tokens)} if self.tokens else {}),
            }
            diary.write({"kind": "step", "step": self.step, **line, **spent, **self.feed.seen(self.step)})

    def _evaluate(self, diary: Diary) -> None:
        if not self.soundness.holds():
            self.selection.miss()
            return
        with self.engine.whole():
            found = self.selection.evaluate(self.step)
        diary.write({"kind": "evaluation", "step": self.step, **found})
        if self.selection.best_step == self.step:
            self._save(wait=False)

    def _save(self, *, wait: bool = True) -> None:
        """Write a checkpoint; after a step that was skipped, with `wait`, once there is one that was not.

        Raises:
            DivergedError: the weights are ruined.
        """
        self._save_due = wait and self.soundness.skips > 0
        if self._save_due or self._saved == self.step:
            return
        good = self._written(sound=self.soundness.holds())
        if not good:
            if self.selection.best_step == self.step:
                self.selection.withdraw()
            raise self._diverged(
                f"after step {self.step} the weights, the optimizer's state or the loss are not finite"
            )
        self._saved, self._unconfirmed = self.step, True

    def _rotate(self) -> None:
        """Remove old checkpoints, once a finite step shows that the newest one can be gone on from."""
        if self._unconfirmed and self.world.is_first:
            best = self.selection.best_step
            protected = () if best is None else (best,)
            rotate(self.folder / CHECKPOINTS, self._saved or 0, self.options.save_total_limit, protected)
        self._unconfirmed = False

    def _written(self, *, sound: bool) -> bool:
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "tokens": self.tokens,
            "data": self.feed.identity,
            "position": self.feed.state(),
            "window": self._window.state(self.world),
            "selection": self.selection.state(),
        }
        folder = self.folder / CHECKPOINTS
        try:
            return save_checkpoint(folder, self.engine, state, sound=sound, world=self.world)
        except OSError as error:
            raise InputError(
                f"{place_of(folder, self.step)}: this checkpoint cannot be written: {error}. The newest complete "
                f"one is {newest_checkpoint(folder) or 'none'}; make room and go on with --resume."
            ) from error

    def _restore(self) -> Path | None:
        folder = self.folder / CHECKPOINTS
        place: Path | None = self.world.broadcast(newest_checkpoint(folder) if self.world.is_first else None)
        if place is None:
            _log.warning("%s holds no complete checkpoint; training begins anew.", self.folder)
            return None
        state = load_checkpoint(place, self.engine, self.world)
        with foreign(place, "a trainer's state"):
            self._take(state, place)
        _log.info("Resumed from %s.", place)
        return place

    def _take(self, state: Mapping[str, Any], place: Path) -> None:
        """Go on where a stored state was taken."""
        # Another batch size, seed or mixture would make the step number point at other examples.
        otherwise = "resume with the configuration and data that the run began with"
        check_same(state["data"], self.feed.identity, place, otherwise=otherwise)
        self.feed.restore(state["position"])
        self.selection.restore(state["selection"])
        self.step = self._saved = self.soundness.step = state["step"]
        self.skipped, self._seconds_before = state["skipped"], state["seconds"]
        self.tokens = state.get("tokens", 0.0)
        counts = (self.skipped, self._seconds_before, self.tokens)
        if any(type(count) not in (int, float) or count < 0 for count in counts):
            raise ValueError("a count in it is none")
        self._window = Window.of(state["window"], self.world)

    def _open_diary(self, provenance: Mapping[str, Any], restored: Path | None) -> Diary:
        with self.world.together():
            if not self.world.is_first:
                return Diary()
            self.folder.mkdir(parents=True, exist_ok=True)
            discard_unfinished(self.folder / CHECKPOINTS)
            if restored is None:
                # Checkpoints of an earlier run must not be mistaken for this one's.
                shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
            step = None if restored is None else self.step
            return Diary.open(self.folder / METRICS, provenance, step, self.options.report_to)

    def _progress(self) -> AbstractContextManager[ProgressReport]:
        """Counts steps up to the end of the budget; a time budget has no known end."""
        total = self.options.max_steps
        return progress(None if total is None else total - self.step, "training", "steps")

    def _report(self, bar: ProgressReport) -> None:
        if not self.world.is_first:
            return
        seconds = max(self.seconds, 1e-9)
        seen = self.feed.seen(self.step)["examples"]
        note = f"loss {self._window.last_loss:.4f}, {seen / seconds:,.0f} examples/s"
        if self.tokens:
            note += f", {self.tokens / seconds:,.0f} tokens/s"
        note += f", peak memory {self._peak_memory / 2**30:.2f} GiB"
        if self.options.max_seconds is not None:
            note += f", {max(self.options.max_seconds - self.seconds, 0):.0f}s of the budget left"
        bar.note(note)
        bar.advance()
