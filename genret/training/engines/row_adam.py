"""Adam for tables of which a step touches few rows: token embeddings and output layers under a sampled loss.

Knows tables, sparse gradients and processes; knows no loss. Only the rows that a step touched are updated, and each
process keeps the float32 copy and the moments of every n-th row. A row that is not touched keeps its moments as they
are ("lazy" Adam), and tables have no weight decay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from genret.training.engines.processes import World
from genret.training.engines.state_files import MOMENTS
from genret.training.loop.training_options import OptimizerOptions

__all__ = ["RowAdam", "clip_factor"]


def clip_factor(norm: float, limit: float) -> float:
    """What gradients of this norm are multiplied by, as `torch.nn.utils.clip_grad_norm_` does."""
    return min(1.0, limit / (norm + 1e-6)) if limit else 1.0


class RowAdam:
    """Lazy Adam (`torch.optim.SparseAdam`) over tables, in one process or in several that share the work by rows.

    Args:
        tables: matrices with sparse gradients, the same in all processes.
        world: the processes; None: this one alone, which updates float32 tables in place.
    """

    def __init__(
        self, tables: Mapping[str, nn.Parameter], options: OptimizerOptions, world: World | None = None
    ) -> None:
        self.tables, self.options = dict(tables), options
        self.world = world or World()
        # This process's rows, which the optimizer updates.
        self._shares: dict[str, Tensor] = {
            name: table.detach() if world is None else self._own(table.detach()).float().clone()
            for name, table in self.tables.items()
        }
        self._gradients: dict[str, tuple[Tensor, Tensor]] = {}
        self._optimizer = (
            torch.optim.SparseAdam(
                list(self._shares.values()),
                betas=(options.adam_beta1, options.adam_beta2),
                eps=options.adam_epsilon,
            )
            if tables
            else None
        )

    def collect(self) -> float:
        """Take the tables' gradients, the mean over processes, out of the parameters; return their norm."""
        norms = []
        for name, table in self.tables.items():
            rows, values = self._mean(_touched(table), len(table))
            self._gradients[name] = rows, values
            # Out of the parameters, so that the dense optimizer and its clipping do not meet them.
            table.grad = None
            norms.append(float(values.norm()))
        return math.hypot(*norms)

    @torch.no_grad()
    def step(self, learning_rate: float, factor: float) -> None:
        """Update the rows that `collect` found, their gradients times `factor`."""
        if self._optimizer is None:
            return
        for name, (rows, values) in self._gradients.items():
            # Interleaved, not in blocks: new tokens lie together at the end, and all would be one process's.
            mine = rows % self.world.size == self.world.rank
            share, places = self._shares[name], rows[mine] // self.world.size
            share.grad = _by_rows(places, values[mine] * factor, share.shape)
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.step()  # type: ignore[no-untyped-call]
        for name, (rows, _) in self._gradients.items():
            self._publish(name, rows)
        self._gradients.clear()

    def whole(self, name: str) -> dict[str, Tensor]:
        """A table in float32 as `weight`, with its optimizer state, whole; all processes take part."""
        share = self._shares[name]
        state = {} if self._optimizer is None else self._optimizer.state.get(share, {})
        found = {"weight": self._joined(share, name)}
        if state:
            found["step"] = torch.tensor(float(state["step"]))
            found |= {moment: self._joined(state[moment], name) for moment in MOMENTS}
        return found

    @torch.no_grad()
    def load(self, name: str, weight: Tensor, entries: Mapping[str, Tensor]) -> None:
        """Take over what `whole` gave, in any number of processes."""
        table, share = self.tables[name], self._shares[name]
        table.copy_(weight)
        share.copy_(self._own(weight))
        assert self._optimizer is not None
        # State of another run must not outlive a checkpoint that was taken before the first update.
        self._optimizer.state.pop(share, None)
        if entries:
            moments = {moment: self._own(entries[moment]).to(share).clone() for moment in MOMENTS}
            self._optimizer.state[share] = {"step": int(entries["step"]), **moments}

    def _own(self, table: Tensor) -> Tensor:
        return table[self.world.rank :: self.world.size]

    def _mean(self, gradient: Tensor, height: int) -> tuple[Tensor, Tensor]:
        """Rows int64 [n], ascending, and their gradients float32 [n, d]; the same in all processes."""
        rows, values = gradient.indices()[0], gradient.values().float()
        if self.world.size > 1:
            everyone = torch.cat(self._exchanged(rows)), torch.cat(self._exchanged(values))
            # `coalesce` adds up rows that several processes touched.
            summed = _by_rows(*everyone, (height, values.shape[1])).coalesce()
            rows, values = summed.indices()[0], summed.values() / self.world.size
        return rows, values

    def _publish(self, name: str, rows: Tensor) -> None:
        """Each process's updated rows into the table of all."""
        table, share, size = self.tables[name], self._shares[name], self.world.size
        # The share is the table: it is up to date.
        if share.data_ptr() == table.data_ptr():
            return
        parts = self._exchanged(share[rows[rows % size == self.world.rank] // size])
        for rank, part in enumerate(parts):
            table[rows[rows % size == rank]] = part.to(table.dtype)

    def _joined(self, share: Tensor, name: str) -> Tensor:
        """A table's worth of every process's rows."""
        if self.world.size == 1:
            return share
        whole = share.new_empty(self.tables[name].shape)
        for rank, part in enumerate(self._exchanged(share)):
            whole[rank :: self.world.size] = part
        return whole

    def _exchanged(self, rows: Tensor) -> list[Tensor]:
        """What each process has; tensors that differ in their first dimension only."""
        if self.world.size == 1:
            return [rows]
        counts: list[int] = self.world.gather(len(rows))
        # all_gather takes tensors of one shape.
        padded = rows.new_zeros((max(counts), *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return [part[:count] for part, count in zip(parts, counts, strict=True)]


def _touched(table: nn.Parameter) -> Tensor:
    """A table's gradient, sparse, each row once; empty where it has none."""
    if table.grad is None:
        rows = torch.empty(0, dtype=torch.int64, device=table.device)
        return _by_rows(rows, table.new_empty((0, table.shape[1])), table.shape).coalesce()
    return (table.grad if table.grad.is_sparse else table.grad.to_sparse(1)).coalesce()


def _by_rows(rows: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.sparse_coo_tensor(rows[None], values, shape, check_invariants=False)
