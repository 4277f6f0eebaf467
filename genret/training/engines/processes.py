"""The processes of a run: who this one is, and the few words that they exchange outside of gradients.

Knows ranks and small values; knows no model. Words travel over gloo, on the CPU, so that they never wait for a
device, in a group of their own, which `World.leave` can end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from genret.device import claim_device
from genret.errors import ArtefactError, InputError, UsageError

__all__ = ["LostProcessError", "World", "backend"]

# A process that is gone is noticed at once; one that hangs, after this long.
TIMEOUT_SECONDS = 1800.0


# The group that words travel in. Kept here alone: a group ends, and its threads with it, when nothing refers to it.
_words: list[dist.ProcessGroup] = []


class LostProcessError(UsageError):
    """Another process of the run ended, or does not answer."""

    @classmethod
    def at(cls, world: World, error: Exception) -> LostProcessError:
        """Seen by a process of `world` as an error of the communication library."""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return cls(
            f"process {world.rank} of {world.size}: another process of the run has ended or does not answer "
            f"({reason}). Look at its own output for the cause, then start all processes again with --resume."
        )


def backend() -> str:
    """Words over gloo on the CPU, gradients over NCCL where there are GPUs: one group carries both."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


@dataclass(frozen=True)
class World:
    """This process among those of the run; one process alone needs no communication.

    Attributes:
        rank: from 0 to `size - 1`.
        local_rank: rank among the processes of this host; the number of its device.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def join(cls, timeout_seconds: float = TIMEOUT_SECONDS) -> World:
        """The run that a launcher (torchrun, deepspeed) put this process into, by its environment variables.

        Raises:
            UsageError: the variables are incomplete.
        """
        if "WORLD_SIZE" not in os.environ:
            return cls()
        missing = [
            name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ
        ]
        if missing:
            raise UsageError(
                f"WORLD_SIZE is set and {', '.join(missing)} is not; start the run with torchrun."
            )
        timeout = timedelta(seconds=timeout_seconds)
        claim_device(int(os.environ["LOCAL_RANK"]))
        if not dist.is_initialized():
            dist.init_process_group(backend(), timeout=timeout)
        if not _words:
            _words.append(dist.new_group(backend="gloo", timeout=timeout))
        return cls(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]))

    def leave(self) -> None:
        """Take this process out of a run of several, when its work is done.

        A thread of a group frees the tensors of an exchange after the exchange has returned, and needs the
        interpreter for it. If that is ending by then, the thread is cancelled in a destructor and the process aborts
        ("terminate called without an active exception") after all else went well. So the group of the last exchange
        ends first: its threads are joined. The groups that training used stay, because DeepSpeed refers to them;
        each has been idle since before the last word.
        """
        if self.size > 1:
            _words.clear()
            dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        # Counts of tokens in a long run go beyond what float32 tells apart.
        tensor = torch.tensor(values, dtype=torch.float64)
        with self._answered():
            dist.all_reduce(tensor, group=_words[0])
        return [float(value) for value in tensor]

    def broadcast(self, value: Any) -> Any:
        """What the first process has; the others pass anything."""
        return self.gather(value)[0]

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with self._answered():
            dist.all_gather_object(values, value, group=_words[0])
        return values

    @contextmanager
    def together(self) -> Iterator[None]:
        """All processes leave the `with` block at the same time; when one fails in it, all fail.

        Raises:
            InputError: in the processes that did not fail themselves, with what another reported.
        """
        failed: Exception | None = None
        try:
            yield
        except (OSError, InputError, ArtefactError) as error:
            failed = error
        # Also where all went well: otherwise the others would wait for an answer that never comes.
        reports = self.gather(None if failed is None else str(failed))
        if failed is not None:
            raise failed
        for rank, report in enumerate(reports):
            if report is not None:
                raise InputError(f"process {rank} of {self.size}: {report}")

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process runs the `with` block before the others begin: they find what it stored."""
        # The others' wait, which the first one's `finally` answers: one exchange in each process.
        if not self.is_first:
            self.gather(None)
        try:
            yield
        finally:
            if self.is_first:
                self.gather(None)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostProcessError.at(self, error) from error
