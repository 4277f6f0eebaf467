"""Runs that are killed, or run out of disk, at a chosen moment; and what a run after them finds."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_run import options, tiny_trainer

from genret import artefact
from genret.training.engines import deepspeed_engine, state_files
from genret.training.loop import checkpoint
from genret.training.loop.trainer import DivergedError, Trainer

# The checkpoint of this step is the one that is disturbed; the one before it is complete.
DISTURBED, COMPLETE = 4, 2


def run(folder: Path, moment: str, fail: Callable[[], None]) -> None:
    """Train with a checkpoint every two steps, and fail at `moment` of the second one."""
    chosen = options("deepspeed", 0, max_steps=8, save_steps=2, save_total_limit=1)
    trainer = tiny_trainer(folder, chosen)
    MOMENTS[moment](trainer, fail)
    trainer.train({"kind": "provenance"})


def die() -> None:
    """As a machine that loses its power."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed(folder: Path, moment: str) -> None:
    """Both processes of a run; the one that reaches the moment dies in it."""
    run(folder, moment, die)


def disk_full(folder: Path) -> None:
    """The second process cannot write its share."""

    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run(folder, "between the processes' writes", fail)


def go_on(folder: Path) -> int:
    """Resume alone; the step that the run went on from."""
    trainer = tiny_trainer(folder, options("deepspeed", 0, max_steps=8, save_steps=2, save_total_limit=1))
    found: list[int] = []
    original = trainer._open_diary

    def opened(provenance: Any, restored: Any) -> Any:
        found.append(trainer.step)
        return original(provenance, restored)

    trainer._open_diary = opened  # type: ignore[method-assign]
    trainer.train({"kind": "provenance"}, resume=True)
    return found[0]


def lost_neighbour(folder: Path) -> None:
    """The second process dies in the middle of a step."""
    chosen = options("deepspeed", 1, max_steps=8, save_steps=2)
    trainer = tiny_trainer(folder, chosen)
    if trainer.world.rank == 1:
        at_step(trainer, DISTURBED - 1, die)
    trainer.train({"kind": "provenance"})


def asked_to_stop(folder: Path) -> None:
    """SIGTERM reaches one process only."""
    trainer = tiny_trainer(folder, options("deepspeed", 1, max_steps=8, save_steps=0))
    if trainer.world.rank == 1:
        at_step(trainer, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    trainer.train({"kind": "provenance"})


def ruined(folder: Path) -> None:
    """From the sixth step on the learning rate is one that no weights survive, at every ZeRO stage."""
    for stage in range(4):
        chosen = options("deepspeed", stage, max_steps=40, save_steps=2, save_total_limit=1, warmup_ratio=0.0)
        trainer = tiny_trainer(folder / str(stage), chosen)
        plain = trainer._rate
        trainer._rate = lambda t=trainer, p=plain: 1e18 if t.step >= 5 else p()  # type: ignore[misc]
        try:
            trainer.train({"kind": "provenance"})
        except DivergedError as error:
            (folder / f"{stage}-{trainer.world.rank}.txt").write_text(str(error))


def at_step(trainer: Trainer, step: int, act: Callable[[], None]) -> None:
    original = trainer._one_step

    def acting(diary: Any) -> None:
        if trainer.step == step:
            act()
        original(diary)

    trainer._one_step = acting  # type: ignore[method-assign]


def before(owner: Any, name: str, trainer: Trainer, act: Callable[[], None], rank: int | None = None) -> None:
    """Act when `owner.name` is called for the disturbed checkpoint."""
    original = getattr(owner, name)

    def acting(*arguments: Any, **options: Any) -> Any:
        if trainer.step == DISTURBED and rank in (None, trainer.world.rank):
            act()
        return original(*arguments, **options)

    setattr(owner, name, acting)


def half_written(which: int) -> Callable[[Trainer, Callable[[], None]], None]:
    """Fail with half of a file on disk: the first that a process writes holds weights, the second the optimizer."""

    def arrange(trainer: Trainer, fail: Callable[[], None]) -> None:
        original, calls = state_files.save_file, [0]

        def writing(tensors: Any, path: Any) -> None:
            original(tensors, path)
            if trainer.step == DISTURBED:
                calls[0] += 1
                if calls[0] == which:
                    os.truncate(path, Path(path).stat().st_size // 2)
                    fail()

        state_files.save_file = writing

    return arrange


def in_rotation(trainer: Trainer, fail: Callable[[], None]) -> None:
    """Fail with half of the old checkpoint removed."""
    original = shutil.rmtree

    def removing(path: Any, *arguments: Any, **options: Any) -> None:
        if Path(path).name == f"step-{COMPLETE:08d}":
            next(Path(path).glob("*.safetensors")).unlink()
            fail()
        original(path, *arguments, **options)

    checkpoint.shutil.rmtree = removing  # type: ignore[assignment]


MOMENTS: dict[str, Callable[[Trainer, Callable[[], None]], None]] = {
    "before saving": lambda trainer, fail: before(checkpoint, "publish_folder", trainer, fail),
    "during weights": half_written(1),
    "during optimizer state": half_written(2),
    "between the processes' writes": lambda trainer, fail: before(
        deepspeed_engine, "write_state", trainer, fail, rank=1
    ),
    "before the manifest": lambda trainer, fail: before(artefact, "write_manifest", trainer, fail),
    "during rotation": in_rotation,
}
