"""What a wheel and an sdist hold, and what is said where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.packages.dist import ROOT, foreign, lacking, library, sources

BUILT = ["docid/_core.cpython-311-x86_64-linux-gnu.so", "fm_index/_core.cpython-311-x86_64-linux-gnu.so"]


def tree(folder: Path) -> Path:
    """What a package is built from, without what was built here."""
    for name in (*sources(), "README.md", "MANIFEST.in"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def setup(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "setup.py", "-q", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_wheel_holds_the_library_and_nothing_else(tmp_path: Path) -> None:
    folder = tree(tmp_path / "tree")
    (folder / "genret" / "notes.txt").write_text("no part of it")
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").touch()
    assert setup(folder, "build_py", "--build-lib", str(tmp_path / "built")).returncode == 0
    built = [path.relative_to(tmp_path / "built").as_posix() for path in (tmp_path / "built").rglob("*.*")]
    assert foreign(built) == []
    assert lacking([*built, *BUILT]) == []
    assert len(list(library())) > 400


def test_what_does_not_belong_there_is_seen() -> None:
    names = [*library(), *BUILT, "genret-1.dist-info/METADATA"]
    assert (foreign(names), lacking(names)) == ([], [])
    odd = [
        "tests/test_x.py",
        "docid/csrc/module.cpp",
        "genret/a.safetensors",
        "configs/boolq.yaml",
        "genret/x.so",
    ]
    assert foreign([*names, *odd]) == odd
    assert lacking(names[1:-2]) == [names[0], "fm_index/_core"]


def test_an_sdist_holds_what_a_wheel_is_built_from(tmp_path: Path) -> None:
    folder = tree(tmp_path / "tree")
    assert setup(folder, "egg_info").returncode == 0
    listed = (folder / "genret.egg-info" / "SOURCES.txt").read_text().split("\n")
    assert set(sources()) <= set(listed)


def test_without_a_compiler_it_is_said_what_to_install(tmp_path: Path) -> None:
    ended = setup(tree(tmp_path / "tree"), "build_ext", CXX="no-such-compiler", CC="no-such-compiler")
    assert ended.returncode != 0
    assert "no-such-compiler is not here" in ended.stderr
    assert "apt-get install g++ python3-dev" in ended.stderr
    assert "--only-binary genret" in ended.stderr
    assert "Traceback" not in ended.stderr
