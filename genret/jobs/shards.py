"""Which share of a job is this process's: as the user says, as a Slurm array numbers its tasks, as torchrun its ranks.

Knows numbers and the launchers' environment variables; knows nothing of jobs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from genret.errors import UsageError

__all__ = ["AUTO", "WHOLE", "Shard"]

# What stands for I/N where Slurm says it.
AUTO = "auto"
TASK = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """Share `index` (from 0) of `count` shares of a job's parts."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UsageError(
                f"shard {self.index}/{self.count}: expected I/N with I from 0 to N-1, such as 0/4."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`I/N`, or `auto` for this task of a Slurm array.

        Raises:
            UsageError: the text is of neither form, or this is no task of an array without gaps.
        """
        if text == AUTO:
            return cls._of_array()
        index, _, count = text.partition("/")
        if not (index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
            raise UsageError(f"shard {text!r}: expected I/N with I from 0 to N-1, such as 0/4.")
        return cls(int(index), int(count))

    @classmethod
    def _of_array(cls) -> Shard:
        """Tasks have numbers from MIN on, STEP apart; a list with gaps is seen by its MAX."""
        task, count = _number(f"{TASK}ID"), _number(f"{TASK}COUNT")
        first, step = _number(f"{TASK}MIN", 0), _number(f"{TASK}STEP", 1)
        last = _number(f"{TASK}MAX", first + (count - 1) * step)
        index, rest = divmod(task - first, max(step, 1))
        if rest or not 0 <= index < count or last != first + (count - 1) * step:
            raise UsageError(
                f"--shard {AUTO}: task {task} of an array of {count} tasks from {first} to {last} in steps of {step}; "
                "expected one of numbers without gaps, such as --array=0-9; or say the share as I/N."
            )
        return cls(index, count)

    @classmethod
    def of_process(cls, machine: Shard) -> Shard:
        """Under `torchrun`, this process's share of the machine's share; elsewhere the machine's.

        Raises:
            UsageError: RANK or WORLD_SIZE are no such numbers.
        """
        rank, processes = _number("RANK", 0), _number("WORLD_SIZE", 1)
        if rank >= processes:
            raise UsageError(f"RANK is {rank} and WORLD_SIZE {processes}; expected a rank below it.")
        return cls(machine.index * processes + rank, machine.count * processes)


# The one share of a job that is not shared.
WHOLE = Shard()


def _number(name: str, default: int | None = None) -> int:
    """An environment variable that a launcher sets."""
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    if text is None:
        raise UsageError(
            f"--shard {AUTO}: {name} is not set, so this is no task of a Slurm array; start it with sbatch "
            "--array=0-9, or say the share as I/N."
        )
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"the environment variable {name}: expected a whole number, found {text!r}.")
    return int(text)
