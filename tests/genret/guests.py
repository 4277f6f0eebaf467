"""A package that does not belong to this project, installed into a folder: modules, and entry points of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["install_guest"]


def install_guest(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    source: str,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write `module` with its source, and a distribution that offers `names` (entry point to `module:Name`)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    distribution = folder / f"{module}-1.0.dist-info"
    distribution.mkdir(exist_ok=True)
    (distribution / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in (names or {}).items()]
    (distribution / "entry_points.txt").write_text("\n".join(["[genret.plugins]", *lines, ""]))
    monkeypatch.syspath_prepend(str(folder))
