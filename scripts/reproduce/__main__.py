"""Runs a published system's commands on files that lie in a folder, and compares the scores with those of its paper.

    python -m scripts.reproduce SYSTEM FOLDER [--expect scores.json:Rprec=0.60] [--set training.max_steps=100]

SYSTEM is a page of docs/reproduce: its files, commands and numbers are read from there, so that page and run cannot
disagree. Commands that ended well are left out when it is called again. Ends with 1 where a score is outside.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES, CONFIGS = ROOT / "docs" / "reproduce", ROOT / "configs" / "reproduce"
DONE = "reproduced.json"


class Expected(NamedTuple):
    """A score of a file that the commands write; `value` is None where the page has none."""

    file: str
    metric: str
    value: float | None
    within: float


class System(NamedTuple):
    """What a page says."""

    files: list[str]
    commands: list[str]
    expected: list[Expected]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    system = read_page(PAGES / f"{asked.system}.md")
    folder: Path = asked.folder
    if absent := [name for name in system.files if not (folder / name).exists()]:
        sys.exit(
            f"{folder}: {', '.join(absent)} missing; docs/reproduce/{asked.system}.md says where to get it."
        )
    configuration = CONFIGS / f"{asked.system}.yaml"
    if configuration.is_file():
        shutil.copy(configuration, folder)
    run(system.commands, folder, asked.set)
    given = dict(one.rpartition("=")[::2] for one in asked.expect)
    return compare(system.expected, folder, {name: float(value) for name, value in given.items()})


def read_page(page: Path) -> System:
    """The files, commands and numbers of a page."""
    if not page.is_file():
        names = sorted(one.stem for one in PAGES.glob("*.md") if one.stem != "index")
        sys.exit(f"{page.stem}: no such system; there are {', '.join(names)}.")
    text = page.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    files = [name for cells in _rows(sections["Files"]) for name in re.findall(r"`([^`]+)`", cells[0])]
    expected = [
        Expected(file.strip("`"), metric, None if value == "?" else float(value), float(within))
        for file, metric, value, within, _ in _rows(sections["Expected"])
    ]
    return System(files, re.findall(r"^\$ (.*)$", sections["Commands"], flags=re.MULTILINE), expected)


def _rows(section: str) -> Iterator[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def run(commands: Sequence[str], folder: Path, settings: Sequence[str]) -> None:
    """Run what has not ended well before, in the folder; the first that fails ends it.

    Args:
        settings: KEY=VALUE for the configuration of `genret train`.
    """
    done: list[str] = json.loads((folder / DONE).read_text()) if (folder / DONE).is_file() else []
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    for line in commands:
        words = shlex.split(line)
        if words[:2] == ["genret", "train"]:
            words += settings
        if shlex.join(words) in done:
            continue
        print("$", shlex.join(words), flush=True)
        started = [sys.executable, "-m", *words] if words[0] == "genret" else [sys.executable, *words[1:]]
        ended = subprocess.run(started, cwd=folder, env=environment, check=False)
        if ended.returncode:
            sys.exit(f"{line}: ended with {ended.returncode}.")
        done.append(shlex.join(words))
        (folder / DONE).write_text(json.dumps(done))


def compare(expected: Sequence[Expected], folder: Path, given: dict[str, float]) -> int:
    """Print every score beside what is expected; 1 where one is outside."""
    outside = 0
    for one in expected:
        (row,) = json.loads((folder / one.file).read_text())["rows"]
        found = row["metrics"][one.metric]["mean"]
        value = given.get(f"{one.file}:{one.metric}", one.value)
        if value is None:
            verdict = "not compared: give the paper's number with --expect"
        else:
            wrong = abs(found - value) > one.within
            outside |= wrong
            verdict = f"expected {value} within {one.within}: {'OUTSIDE' if wrong else 'reproduced'}"
        print(f"{one.file}, {one.metric}: {found:.4f}, {verdict}")
    return int(outside)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", help="a page of docs/reproduce")
    parser.add_argument("folder", type=Path, help="where the files lie, and all that is made")
    parser.add_argument("--expect", action="append", default=[], metavar="FILE:METRIC=VALUE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
