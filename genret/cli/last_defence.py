"""What no one foresaw, as a sentence and an exit code: the last place that an exception comes to.

Knows exceptions, and a folder for reports; knows no command. Errors that users are meant to read carry their exit
code themselves (see `genret.errors`, which is not imported here: it would cost numpy's import at every `--help`).
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

from genret.jobs.cache_folder import default_cache

__all__ = ["UNFORESEEN", "explain"]

WRONG_CALL = 2
BAD_INPUT = 3
UNFORESEEN = 70  # EX_SOFTWARE of sysexits.h

# A module of these that is not there is a fault of ours.
OURS = ("docid", "fm_index", "genret", "None")

# How libraries say that memory is used up, beside Python's own MemoryError.
_NO_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc", "unable to allocate")


# How Rust's libraries tell of an error of the system.
_RUST = re.compile(r"\(os error ([0-9]{1,3})\)")


def explain(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for an exception; what is a fault of ours is written to a report."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        return str(error), code
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read; flatten it.", BAD_INPUT
    refused = _refused(error)
    if refused is not None:
        return _of_a_file(refused), BAD_INPUT
    if isinstance(error, ModuleNotFoundError) and (package := str(error.name).split(".")[0]) not in OURS:
        return (
            f"{package} is not installed, which this needs; `genret doctor` says what to install.",
            WRONG_CALL,
        )
    if _is_about_memory(error):
        what = "there is not enough memory for this; choose smaller sizes (batch size, beams, width)"
    else:
        what = f"something went wrong that is a fault of this program, not yours ({type(error).__name__})"
    return f"{what}. {_reported(error)}", UNFORESEEN


def _refused(error: BaseException) -> OSError | None:
    """What the system said of a file; libraries raise OSError for their own complaints too, without a number.

    A Rust library tells it in the words of its own exception.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error
    told = _RUST.search(str(error))
    return None if told is None else OSError(int(told[1]), os.strerror(int(told[1])))


def _of_a_file(error: OSError) -> str:
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or str(error)
    advice = {
        errno.ENOSPC: "make room and try again",
        errno.EDQUOT: "make room and try again",
        errno.EACCES: "change its permissions or name another",
        errno.EPERM: "change its permissions or name another",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0, "name a file that can be used")
    return f"{place}cannot be used ({reason}); {advice}."


def _is_about_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)
    )


def _reported(error: BaseException) -> str:
    """Write the details down; what to tell of them. The same fault has the same name: reports do not pile up."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    name = hashlib.sha256("\n".join([type(error).__name__, *places]).encode()).hexdigest()[:8]
    for folder in (default_cache("reports"), Path(tempfile.gettempdir())):
        path = folder / f"genret-{name}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(_report(error), encoding="utf-8", errors="replace")
        except OSError:
            continue
        return f"Report {name}: {path} has the details; please send it to the maintainers."
    return f"Report {name} could not be written; the error was: {str(error)[:300]}."


def _report(error: BaseException) -> str:
    from genret.version import __version__

    trace = "".join(traceback.format_exception(error))
    return (
        f"genret {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{shlex.join(['genret', *sys.argv[1:]])}\n\n{trace}"
    )
