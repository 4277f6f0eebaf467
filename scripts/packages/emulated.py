"""Tries the native cores on other processors: built for them here, their tests run in an emulator: `make emulated`.

    python -m scripts.packages.emulated FOLDER [MACHINE ...]

Knows zig's compiler, qemu's user mode and Debian's packages (qemu-user-static, debootstrap); imports nothing of the
library. The tests are those of the integers, which need numpy and no torch. Of a foreign family Debian's Python runs;
a foreign kind of this family runs the Python that runs this.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

from scripts.packages.dist import GLIBC, ROOT, call


class Machine(NamedTuple):
    """A processor: its family, and as what qemu plays it."""

    family: str
    kind: str
    debian: str


MACHINES = {
    # A 64-bit ARM core of 2016: servers and small boards.
    "arm": Machine("aarch64", "cortex-a72", "arm64"),
    # The newest of Intel's without AVX: what is left is what x86-64 had in 2008, the least that numpy runs on.
    "no-avx": Machine("x86_64", "Nehalem", "amd64"),
    # With AVX2: the faster engine.
    "avx2": Machine("x86_64", "Haswell", "amd64"),
}
RELEASE = "bookworm"
# Of Python 3.11, as that release has it; beside numpy what the two packages and their tests import.
PACKAGES = [
    "numpy",
    "scipy",
    "xxhash",
    "marisa-trie",
    "zstandard",
    "annotated-types",
    "threadpoolctl",
    "hypothesis",
    "pytest",
    "packaging",
]
TESTS = (
    *(f"fm_index/test_{name}.py" for name in ("calls", "sort", "index", "large_positions", "sharded")),
    *(f"docid/test_{name}.py" for name in ("simultaneous", "best_below", "docid_trie", "level_codes")),
)
# Exhaustive ones, which take an hour in an emulator.
LEFT_OUT = "naive_twins or three_symbols"
# What the built core says of itself, so that no run is of the wrong one.
TOLD = "import platform, numpy, docid._core as a, fm_index._core as b; print(platform.machine(), a.__file__, b.__file__)"


def main() -> None:
    folder, chosen = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(MACHINES)
    for name in chosen:
        if name not in MACHINES:
            sys.exit(f"{name}: expected {', '.join(MACHINES)}.")
    for name in chosen:
        try_on(MACHINES[name], name, folder)


def try_on(machine: Machine, name: str, folder: Path) -> None:
    emulator = shutil.which(f"qemu-{machine.family}-static")
    if emulator is None:
        sys.exit(f"qemu-{machine.family}-static is not here: apt-get install qemu-user-static debootstrap")
    python = [emulator, "-cpu", machine.kind, *python_of(machine, folder / machine.debian)]
    work = folder / name
    shutil.rmtree(work, ignore_errors=True)
    copy_library(work)
    for package in ("docid", "fm_index"):
        compile_core(machine, package, work)
    packages = packages_for(machine, folder / f"packages-{machine.family}")
    environment = {
        "PYTHONPATH": f"{work}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "HOME": str(work),
    }
    call(*python, "-c", TOLD, env=environment, cwd=work)
    begun = time.monotonic()
    options = ["-q", "-p", "no:cacheprovider", "-m", "not soak", "-k", f"not ({LEFT_OUT})"]
    call(*python, "-m", "pytest", *options, *(f"tests/{test}" for test in TESTS), env=environment, cwd=work)
    print(f"{name}: {machine.family}, as {machine.kind}: {time.monotonic() - begun:.0f} s")


def python_of(machine: Machine, root: Path) -> list[str]:
    """The command of a Python of that family: this one, or Debian's, laid out and never installed."""
    if machine.family == os.uname().machine:
        return [sys.executable]
    if not (root / ".complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        call(
            "debootstrap",
            "--foreign",
            f"--arch={machine.debian}",
            "--variant=minbase",
            "--include=python3",
            RELEASE,
            root,
        )
        # The second stage would run the packages' scripts, for which the emulator must be the kernel's; files are enough.
        for archive in sorted((root / "var" / "cache" / "apt" / "archives").glob("*.deb")):
            call("dpkg-deb", "--extract", archive, root)
        (root / ".complete").touch()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not (root / "usr" / "bin" / version).exists():
        found = [path.name for path in (root / "usr" / "bin").glob("python3.*")]
        sys.exit(f"Debian {RELEASE} has {', '.join(found)}, and this is {version}: run it with that one.")
    return ["-L", str(root), str(root / "usr" / "bin" / version)]


def packages_for(machine: Machine, folder: Path) -> Path:
    """What the tests import, from wheels for that family."""
    if not (folder / ".complete").exists():
        arguments = os.environ.get("PIP_ARGS", "").split()
        wheels = [
            f"--platform=manylinux_2_{minor}_{machine.family}" for minor in (17, 24, 27, 28)
        ]  # what Debian's glibc runs
        older = [f"--platform=manylinux2014_{machine.family}", "--only-binary=:all:", "--upgrade"]
        lock = ["--constraint", str(ROOT / "requirements.lock")]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", *arguments, *wheels, *older, *lock]
        call(*pip, "--target", folder, *PACKAGES)
        (folder / ".complete").touch()
    return folder


def copy_library(work: Path) -> None:
    """The two packages and their tests, without what was built for this machine."""
    nothing_built = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("docid", "fm_index", "tests/docid", "tests/fm_index"):
        shutil.copytree(ROOT / name, work / name, ignore=nothing_built)
    shutil.copy(ROOT / "tests" / "conftest.py", work / "tests")


def compile_core(machine: Machine, package: str, work: Path) -> None:
    """Compile a native core as `make dist` does, for another machine; Python's headers are the same on all of them."""
    import pybind11
    import ziglang

    target = f"{machine.family}-linux-gnu.{GLIBC}"
    flags = [
        "-target",
        target,
        "-std=c++17",
        "-O3",
        "-fPIC",
        "-shared",
        "-s",
        "-pthread",
        "-fvisibility=hidden",
    ]
    headers = [
        f"-I{pybind11.get_include()}",
        f"-I{sysconfig.get_paths()['include']}",
        f"-I{ROOT / package / 'csrc'}",
    ]
    sources = sorted((ROOT / package / "csrc").rglob("*.cpp"))
    built = work / package / "_core.so"
    call(Path(ziglang.__file__).parent / "zig", "c++", *flags, *headers, *sources, "-o", built)


if __name__ == "__main__":
    main()
