"""The bounds of numbers on the command line, for options that have none of their own."""

from __future__ import annotations

import math

import typer

__all__ = ["LARGEST", "LARGEST_SEED", "finite"]

# What an int64 holds with room to add.
LARGEST = 1 << 62
# What numpy's and torch's generators all take.
LARGEST_SEED = (1 << 32) - 1


def finite(value: float | None) -> float | None:
    """Refuse NaN, which is neither below nor above any bound."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"expected a number, found {value}.")
    return value
