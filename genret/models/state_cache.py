"""Token states of texts that are trained on many times, kept in memory in half precision.

Knows texts as keys and tensors as values; knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

__all__ = ["StateCache"]


class StateCache:
    """Text to (token states float16 [length, m], vector float32 [m]). 64 tokens of width 384 take 48 KiB."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(states.nbytes + pooled.nbytes for states, pooled in self._rows.values())

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The texts that it does not hold, each once."""
        return [text for text in dict.fromkeys(texts) if text not in self._rows]

    def put(self, texts: Sequence[str], states: Tensor, mask: Tensor, pooled: Tensor) -> None:
        """Keep states [n, S, m] where mask bool [n, S] is true, and vectors [n, m]."""
        for row, text in enumerate(texts):
            real = states[row][mask[row]].to("cpu", torch.float16)
            self._rows[text] = real, pooled[row].to("cpu", torch.float32, copy=True)

    def get(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor] | None:
        """States float32 [n, S, m], mask bool [n, S], vectors [n, m]; None where a text is missing."""
        if not texts or any(text not in self._rows for text in texts):
            return None
        rows = [self._rows[text] for text in texts]
        states = pad_sequence([states for states, _ in rows], batch_first=True).float()
        lengths = torch.tensor([len(states) for states, _ in rows])
        mask = torch.arange(states.shape[1]) < lengths[:, None]
        return states, mask, torch.stack([pooled for _, pooled in rows])

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
