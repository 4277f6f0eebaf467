"""The command line: names, options and exit codes; the work is done by the library.

Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 damaged artefact, 70 a fault of ours, 130 interrupted. Modules that
import torch are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from genret.cli import commands
from genret.cli.examples import add_examples
from genret.cli.last_defence import explain
from genret.version import __version__

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="genret",
    help="Generative retrieval: the model is the index.",
    pretty_exceptions_enable=False,
)
commands.register(app)
add_examples(app)

WELCOME = """\
genret {version}: generative retrieval. A sequence-to-sequence model is the index: it emits identifiers of passages,
and what it may emit is kept to those of your corpus.

Three commands to try:

  genret demo                          Python's own documentation as a corpus, and questions to it
  genret fit DOCS -o MODEL             a model of your documents
  genret search MODEL "a question"     the best passages of a model

All commands: genret --help. What is installed here: genret doctor. Completion: genret --install-completion.
"""


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"genret {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Generative retrieval: the model is the index."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME.format(version=__version__), nl=False)


def main() -> None:
    """Run the command line; whatever is raised becomes a sentence and an exit code."""
    try:
        app()
    except SystemExit as end:
        # typer has taken the exception, and ends with a code of its own.
        if isinstance(end.__context__, BrokenPipeError):
            _end_quietly()
        if end.code == INTERRUPTED:
            _fail("interrupted.", INTERRUPTED)
        raise
    except KeyboardInterrupt:
        _fail("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        _end_quietly()
    except BaseException as error:  # noqa: BLE001  (a panic of a Rust library is no Exception)
        _fail(*explain(error))


def _end_quietly() -> NoReturn:
    """The reader of our output went away (`genret search ... | head`): nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _coloured() -> bool:
    """Whether errors have colours: on a terminal that knows them, unless NO_COLOR (no-color.org) is set."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _fail(message: str, code: int) -> NoReturn:
    name = typer.style("genret:", fg="red", bold=True) if _coloured() else "genret:"
    sys.stderr.write(f"{name} {message}\n")
    sys.exit(code)
