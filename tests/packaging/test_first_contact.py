"""What a stranger sees first: the bare command, its version, help, completion and colours."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from genret.cli.app import app
from genret.cli.examples import EXAMPLES
from genret.version import __version__

COMMANDS: Any = typer.main.get_command(app)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'genret'; from genret.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


def test_the_bare_command_says_what_it_is_and_three_commands_to_try() -> None:
    found = run()
    assert found.returncode == 0
    assert found.stdout.startswith(f"genret {__version__}: generative retrieval.")
    tried = [line.split()[1] for line in found.stdout.splitlines() if line.startswith("  genret ")]
    assert len(tried) == 3
    assert set(tried) <= set(COMMANDS.commands)


@pytest.mark.parametrize("command", [["-m", "genret"], ["-m", "genret", "--version"]])
def test_the_module_is_the_command(command: list[str]) -> None:
    found = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert found.stdout.startswith(f"genret {__version__}")


def test_a_wrong_command_is_a_usage_error() -> None:
    assert run("no-such-command").returncode == 2


def test_every_command_has_one_example() -> None:
    assert {" ".join(path) for path, _ in leaves(COMMANDS)} == set(EXAMPLES)


@pytest.mark.parametrize("words", EXAMPLES)
def test_an_example_can_be_parsed_and_stands_in_the_help(words: str) -> None:
    command, arguments = COMMANDS, shlex.split(EXAMPLES[words])
    context = COMMANDS.make_context("genret", [words.split()[0]], resilient_parsing=True)
    for word in words.split():
        assert arguments.pop(0) == word
        command = command.commands[word]
    command.make_context(words, arguments, parent=context).close()
    assert command.epilog == f"Example: genret {EXAMPLES[words]}"


def test_help_shows_the_example() -> None:
    assert "Example: genret merge RUN.jsonl" in run("merge", "--help").stdout


def test_words_are_completed() -> None:
    found = run(_GENRET_COMPLETE="complete_bash", COMP_WORDS="genret sea", COMP_CWORD="1")
    assert found.stdout.split() == ["search"]


def on_a_terminal(**environment: str) -> str:
    """What an error looks like there."""
    leader, follower = pty.openpty()
    code = "from genret.cli.app import main; main()"
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ended = subprocess.run(
        [sys.executable, "-c", code, "eval", "no-such.run", "no-such.qrels"],
        stderr=follower,
        stdout=subprocess.DEVNULL,
        check=False,
        env={**kept, "TERM": "xterm", **environment},
    )
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert ended.returncode == 3
    return shown


def test_errors_have_colours_on_terminals_only() -> None:
    assert "\x1b[" in on_a_terminal()
    assert on_a_terminal(NO_COLOR="1").startswith("genret: no-such.qrels")
    assert on_a_terminal(TERM="dumb").startswith("genret: no-such.qrels")
    assert run("eval", "no-such.run", "no-such.qrels").stderr.startswith("genret: no-such.qrels")
