"""What the processes of the distributed tests do, many checks a start: starting is what costs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from backbones import TEXTS
from ranks import read_lines
from tiny_run import options, sampled, tiny_trainer, train
from torch import Tensor

from genret.training.engines.processes import World
from genret.training.examples.batch import CrossEntropy
from genret.training.losses.losses import LossSums

STAGES = (0, 1, 2, 3)
LONG = {"max_steps": 9, "save_total_limit": 3}


def losses(folder: Path) -> list[float]:
    """The loss of every step, as the first process wrote it."""
    return [line["loss"] for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "step"]


def one_process(folder: Path) -> None:
    """The reference, and every stage alone."""
    train(folder / "torch", options("torch", **LONG))
    train(folder / "sampled-torch", options("torch", **LONG), objective=sampled())
    for stage in STAGES:
        train(folder / f"alone-{stage}", options("deepspeed", stage))


def two_processes(folder: Path) -> dict[str, Any]:
    """Every stage: losses, resuming, exporting, evaluation in the middle, a gradient that is not finite."""
    found: dict[str, Any] = {}
    for stage in STAGES:
        train(folder / f"two-{stage}", options("deepspeed", stage, **LONG))
        resume_from(folder / f"two-{stage}", folder / f"resumed-{stage}", 3)
        train(folder / f"resumed-{stage}", options("deepspeed", stage, **LONG), resume=True)
        found[f"export-{stage}"] = export_and_go_on(folder, stage)
        found[f"skipped-{stage}"] = skip_one(folder / f"skipped-{stage}", stage)
    train(folder / "accumulated", options("deepspeed", 2, gradient_accumulation_steps=2))
    train(folder / "bf16", options("deepspeed", 3, bf16=True, gradient_checkpointing=True))
    with_dropout(folder)
    sample_negatives(folder)
    return found


def sample_negatives(folder: Path) -> None:
    """A table that is updated by rows, beside DeepSpeed; resumed; in bf16."""
    for stage in (1, 2):
        chosen = options("deepspeed", stage, **LONG)
        train(folder / f"sampled-{stage}", chosen, objective=sampled())
        resume_from(folder / f"sampled-{stage}", folder / f"sampled-resumed-{stage}", 3)
        train(folder / f"sampled-resumed-{stage}", chosen, resume=True, objective=sampled())
    train(folder / "sampled-bf16", options("deepspeed", 1, bf16=True, **LONG), objective=sampled())


def with_dropout(folder: Path) -> None:
    """Random states of both processes are part of the checkpoint."""
    chosen = options("deepspeed", 1, **LONG)
    train(folder / "dropout", chosen, dropout=0.3)
    resume_from(folder / "dropout", folder / "dropout-resumed", 3)
    torch.rand(11)
    train(folder / "dropout-resumed", chosen, resume=True, dropout=0.3)


def resume_from(source: Path, target: Path, step: int) -> None:
    """A copy of a run whose newest checkpoint is that of `step`."""
    world = World.join()
    if world.is_first:
        shutil.copytree(source, target)
        for place in (target / "checkpoints").iterdir():
            if int(place.name.removeprefix("step-")) > step:
                shutil.rmtree(place)
    world.gather(None)


def export_and_go_on(folder: Path, stage: int) -> list[float]:
    """Export in the middle of training; the losses after it."""
    chosen = options("deepspeed", stage, max_steps=6, eval_steps=2, metric_for_best_model="x")
    trainer = tiny_trainer(folder / f"evaluated-{stage}", chosen)
    backbone = trainer.engine.module.backbone
    logits: list[Tensor] = []

    def evaluate() -> dict[str, float]:
        backbone.eval()
        targets = torch.full((1, 3), 5)
        logits.append(backbone(TEXTS[:1], targets).detach())
        return {"x": float(len(logits))}

    trainer.selection._evaluate, trainer.selection.every = evaluate, 2
    trainer.train({"kind": "provenance"})
    with trainer.engine.whole():
        if trainer.world.is_first:
            backbone.save_pretrained(folder / f"export-{stage}")
    trainer.world.gather(None)
    return logits[-1].flatten().tolist()


class Sometimes(CrossEntropy):
    """A loss that is not finite, in one step and in one process only."""

    def __call__(self, backbone: Any, encoded: Any, batch: Any) -> LossSums:
        sums = super().__call__(backbone, encoded, batch)
        if batch.step == 2 and os.environ["RANK"] == "1":
            return LossSums(sums.total * torch.nan, sums.weight)
        return sums


def skip_one(folder: Path, stage: int) -> int:
    """How many steps were skipped; the same in all processes, or they would wait for each other."""
    trainer = tiny_trainer(folder, options("deepspeed", stage), objective=Sometimes())
    return trainer.train({"kind": "provenance"}).skipped


def continue_alone(folder: Path) -> None:
    """Two processes, stage 2, up to step 3: one process, stage 1, to the end; and with plain torch."""
    for engine in ("deepspeed", "torch"):
        resume_from(folder / "two-2", folder / f"two-one-{engine}", 3)
        train(folder / f"two-one-{engine}", options(engine, 1, **LONG), resume=True)

    resume_from(folder / "sampled-2", folder / "sampled-alone", 3)
    train(folder / "sampled-alone", options("torch", **LONG), resume=True, objective=sampled())


def continue_with_two(folder: Path) -> None:
    """One process up to step 6: two processes, stage 3, to the end."""
    resume_from(folder / "two-one-deepspeed", folder / "two-one-two", 6)
    train(folder / "two-one-two", options("deepspeed", 3, **LONG), resume=True)
