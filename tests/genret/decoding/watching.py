"""What a piece of code does to tensors: the bytes that live at the same time, and what makes a host wait."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Operations whose result's size, or whose Python value, depends on what a tensor holds: a GPU is waited for.
WAITING = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "equal",
}


class PeakBytes(TorchDispatchMode):
    """The most bytes of tensors created inside that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.alive, self.peak = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {
            leaf.untyped_storage()._cdata
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, torch.Tensor)
        }
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                if storage._cdata not in before and storage._cdata not in self._known:
                    self._add(storage)
        return output

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size


class Waits(TorchDispatchMode):
    """Counts the operations that make a host wait for its device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        by_mask = name in {"index", "index_put_"} and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        unsized = name == "repeat_interleave" and kwargs.get("output_size") is None
        if name in WAITING or by_mask or unsized:
            self.found[name] += 1
        return func(*args, **kwargs)


@contextmanager
def waits() -> Iterator[Counter[str]]:
    """What waits inside, `tolist` included (on the CPU it is no operation)."""
    mode = Waits()
    tolist = torch.Tensor.tolist

    def counted(tensor: torch.Tensor) -> Any:
        mode.found["tolist"] += 1
        return tolist(tensor)

    with pytest.MonkeyPatch.context() as patch, mode:
        patch.setattr(torch.Tensor, "tolist", counted)
        yield mode.found
