"""The errors of bad input and of wrong calls, here and in `genret`."""

from __future__ import annotations

__all__ = ["InputError", "UsageError"]


class InputError(ValueError):
    """What the user gave cannot be used: the message says what, where (file, line, field) and what to do."""

    exit_code = 3


class UsageError(ValueError):
    """The call itself is wrong: an option, an argument, or something missing on this machine (exit code 2)."""

    exit_code = 2
