"""What the core and each extra cost to install: packages, bytes on disk and seconds, as rows of a table.

    python -m scripts.packages.sizes WHEEL FOLDER [EXTRA ...]

Installs the wheel into an empty environment in FOLDER, and then each extra (all that it declares but `dev`, if none is
named) on top of it, taken away again after. Bytes are those of the packages' own lists of files; seconds say as much
of the network and of the disk as of the packages. PIP_ARGS is passed to pip.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from email.parser import Parser
from pathlib import Path

from scripts.packages.dist import ROOT, call

# Run by the environment's own Python: every package and the size of its files.
LISTED = """
import importlib.metadata, json, os
found = {}
for one in importlib.metadata.distributions():
    paths = [one.locate_file(path) for path in one.files or ()]
    found[one.metadata["Name"]] = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
print(json.dumps(found))
"""


def main() -> None:
    wheel, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    extras = sys.argv[3:] or [extra for extra in declared(wheel) if extra != "dev"]
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "venv", folder)
    empty = packages(python)
    print(row("`pip install genret`", empty, *installed(python, str(wheel))), flush=True)
    core = packages(python)
    for extra in extras:
        now, seconds = installed(python, f"{wheel}[{extra}]")
        print(row(f"`[{extra}]` on top", core, now, seconds), flush=True)
        if brought := sorted(set(now) - set(core)):
            call(python, "-m", "pip", "uninstall", "--quiet", "--yes", *brought)


def declared(wheel: Path) -> list[str]:
    """The extras of a wheel, in its order."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode()).get_all("Provides-Extra", [])


def installed(python: Path, what: str) -> tuple[dict[str, int], float]:
    """What the environment has after an installation, and how long that took."""
    begun = time.monotonic()
    arguments = os.environ.get("PIP_ARGS", "").split()
    lock = ("--constraint", ROOT / "requirements.lock")
    call(python, "-m", "pip", "install", "--quiet", "--no-compile", *arguments, *lock, what)
    seconds = time.monotonic() - begun
    return packages(python), seconds


def packages(python: Path) -> dict[str, int]:
    """The packages of an environment and their bytes."""
    shown = subprocess.run([python, "-c", LISTED], check=True, capture_output=True, text=True).stdout
    found: dict[str, int] = json.loads(shown)
    return found


def row(what: str, before: dict[str, int], now: dict[str, int], seconds: float) -> str:
    """A row of the table: what came."""
    new = set(now) - set(before)
    return f"| {what} | {len(new)} | {sum(now[name] for name in new) / 1e6:,.0f} MB | {seconds:.0f} s |"


if __name__ == "__main__":
    main()
