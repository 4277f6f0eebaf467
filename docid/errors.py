"""The one error that bad input raises, here and in `genret`."""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(ValueError):
    """What the user gave cannot be used: the message says what, where (file, line, field) and what to do."""

    exit_code = 3
