"""Writes golden files of kinds that a folder does not have yet, and what was read from them.

    PYTHONPATH=tests python tests/artefacts/write_golden.py tests/golden/format-N

Nothing that is there is written again.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from samples import KINDS


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    answers = folder / "answers.json"
    lines = answers.read_text(encoding="utf-8").splitlines()[1:-1] if answers.exists() else []
    for name in sorted(KINDS.keys() - {path.name for path in folder.iterdir()}):
        KINDS[name].make(folder / name)
        lines.append(f"{json.dumps(name)}: {json.dumps(answer(folder / name), separators=(',', ':'))}")
    lines = [*(line.rstrip(",") + "," for line in lines[:-1]), lines[-1].rstrip(",")]
    answers.write_text("\n".join(["{", *lines, "}", ""]), encoding="utf-8")


def answer(path: Path) -> object:
    """Of a copy: what reads a job may end it."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / path.name
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            shutil.copyfile(path, copy)
        return KINDS[path.name].answer(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
