"""Damage to stored files: every way that a disk, a copy or a crash leaves them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fm_index.container import ArtefactError, read_container, write_container

NEWEST = 9


def damaged(content: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Flipped bits, truncations, zeroed stretches and inserted bytes, `count` of each."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        place, other = sorted(rng.integers(0, len(content), 2).tolist())
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        yield bytes(flipped)
        yield content[:place]
        yield content[:place] + bytes([content[place] ^ 0xFF]) * (other - place + 1) + content[other + 1 :]
        yield content[:place] + b"\x07" + content[place:]


def assert_damage_is_refused(path: Path, load: Callable[[Path], Any], seed: int, count: int) -> None:
    """Each damaged form of the file at `path` raises ArtefactError: none loads, none crashes."""
    content = path.read_bytes()
    target = path.with_suffix(".damaged")
    for form in damaged(content, seed, count):
        target.write_bytes(form)
        with pytest.raises(ArtefactError):
            load(target)


def rewrite(path: Path, kind: str, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change a container's metadata and arrays and write it again, with checksums that match."""
    stored = read_container(path, kind=kind, version=NEWEST, mmap=False)
    meta, arrays = dict(stored.meta), {name: array.copy() for name, array in stored.arrays.items()}
    change(meta, arrays)
    write_container(path, kind=kind, version=stored.version, meta=meta, arrays=arrays)
