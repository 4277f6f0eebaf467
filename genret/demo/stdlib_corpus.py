"""The documentation of the running interpreter's standard library as a corpus of passages.

Knows how to run `genret.demo.docstrings` in an isolated child; what becomes a passage is decided there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from genret.corpus import Passage
from genret.errors import UsageError

__all__ = ["stdlib_passages"]

TIMEOUT_SECONDS = 120


def stdlib_passages() -> list[Passage]:
    """A passage for each documented function, class, method and module section, in order of `passage_id`.

    `passage_id` is the qualified name (`subprocess.run`, `str.split`; `json#2` for the second section of a
    module's docstring), `title` the name with its signature or kind, `text` the docstring. The same interpreter
    gives the same passages every time. Importing happens in a child process: this one stays as it was.

    Raises:
        UsageError: this interpreter cannot run a child, or keeps no docstrings (`python -OO` drops them).
    """
    script = Path(__file__).with_name("docstrings.py")
    # -I -S: neither the user's environment variables nor installed packages change what is imported.
    command = [sys.executable, "-I", "-S", str(script)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace").strip()
        raise UsageError(
            f"The standard library's docstrings could not be read by {sys.executable or 'this interpreter'}: "
            f"{reason.splitlines()[-1]}."
        ) from error
    entries = map(json.loads, done.stdout.decode().splitlines())
    passages = [Passage(name, title, text) for name, _, title, text in entries]
    if not passages:
        raise UsageError(f"{sys.executable} keeps no docstrings; use a Python that was built with them.")
    return passages
