"""What counts as wrong: how far numbers may be off, and what modelling code raises; knows no model."""

from __future__ import annotations

import torch

from genret.errors import InputError

__all__ = ["REFUSALS", "reason", "tolerance"]

# What modelling code raises when it is given what it does not expect.
REFUSALS = (
    RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError, AssertionError,
    InputError, UnboundLocalError, ZeroDivisionError,
)  # fmt: skip


def reason(error: Exception) -> str:
    """The beginning of what `error` says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(".")


def tolerance(dtype: torch.dtype) -> float:
    """How far a number computed another way may be off, in standard deviations of such numbers.

    Half of the digits: rounding in tens of layers takes a few bits; a position, a mask or a frequency that is wrong
    changes leading ones. Logits are float32 at best.
    """
    return float(max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps) ** 0.5)
