"""The errors that a user is meant to read; the command line turns each into a sentence and an exit code.

Every message says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations

from docid.errors import InputError, UsageError
from fm_index.container import ArtefactError

__all__ = ["ArtefactError", "InputError", "UsageError"]
