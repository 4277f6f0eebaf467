"""What is piped into a command, as a file; and places as they stand in ids."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO
from urllib.parse import quote

from genret.errors import InputError

__all__ = ["STANDARD_INPUT", "STDIN", "as_address", "as_text", "spooled_input"]

# What stands for it where it names documents, and in complaints.
STDIN, STANDARD_INPUT = "stdin", "standard input"
CHUNK = 1 << 20


def spooled_input() -> Path:
    """The file that holds all of standard input, for files are read more than once; it goes when the process ends.

    Raises:
        InputError: standard input is a terminal.
    """
    return Path(_spooled().name)


@cache
def _spooled() -> IO[bytes]:
    stream = sys.stdin.buffer
    if stream.isatty():
        raise InputError(f"{STANDARD_INPUT}: a terminal; pipe a file into the command, or name one.")
    # Closed with the process.
    spooled = tempfile.NamedTemporaryFile(prefix="genret-")  # noqa: SIM115
    shutil.copyfileobj(stream, spooled, CHUNK)
    spooled.flush()
    return spooled


def as_address(place: str) -> str:
    """A path as it stands in an address: without white space, marks of addresses, and what nobody sees."""
    return "".join(map(_in_address, place))


def as_text(place: str | Path) -> str:
    """A path as a text that can be written, whatever bytes it has."""
    return os.fsencode(place).decode("utf-8", "backslashreplace")


def _in_address(character: str) -> str:
    """A character as it stands in an address, of those that must not stand in an id as they are."""
    if character not in "%#" and not character.isspace() and character.isprintable():
        return character
    return quote(character.encode("utf-8", "surrogateescape"), safe="")
