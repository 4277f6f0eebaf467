"""The command line: names, options and exit codes; the work is done by the library.

Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 damaged artefact, 130 interrupted. Modules that import torch
are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from genret.cli import commands

__all__ = ["app", "main"]

app = typer.Typer(
    name="genret",
    help="Generative retrieval: the model is the index.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
commands.register(app)


def main() -> None:
    """Run the command line and turn the library's errors into a sentence and an exit code."""
    try:
        app()
    except BrokenPipeError:
        # The reader of our output went away (`genret search ... | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        _fail("interrupted.", 130)
    except Exception as error:
        # Known by its attribute: importing the classes would cost numpy's import at every `--help`.
        code = getattr(error, "exit_code", None)
        if code is None:
            raise
        _fail(error, code)


def _fail(message: object, code: int) -> None:
    sys.stderr.write(f"genret: {message}\n")
    sys.exit(code)
